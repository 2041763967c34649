"""Who works at the desk, and what have they done?

editor        the accounts, and what each role may do
accounts      how somebody gets one, and loses it: invitations, roles, disabling
signing_in    how somebody comes in, how often one may try, and what is noted of it
renewing      how somebody changes their own password, and second step
password      is this the password, and may it be one?
second_step   is this the code that a phone shows just now?
sessions      who is signed in, and for how long; ended at once with the account
log           who did what, and when: never changed, never taken away
"""
