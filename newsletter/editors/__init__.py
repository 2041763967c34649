"""Who works at the desk, and what have they done?

editor      the accounts, and what each role may do
sessions    who is signed in, and for how long; ended at once with the account
log         who did what, and when: never changed, never taken away
"""
