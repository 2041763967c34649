"""What came back after a letter was sent.

* `postmark`: pure: what Postmark posts to us -> what it means
"""
