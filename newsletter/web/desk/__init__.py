"""The editors' pages, below `/desk`. Every route is behind `guard`, but the way in.

frame       what all of them share: who is asking, what they may do, forms, templates, what was said of an act
entrance    signing in and out
overview    the first page: what is to be done now
"""
