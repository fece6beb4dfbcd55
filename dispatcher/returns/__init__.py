"""WHAT comes back: one reader of returned mail, and the policy on it. This is the room's floor plan.

    parse.py          bytes → Returned: what a mail is, whom it speaks of, and why
    returned.py       the nouns
    mail.py           takes a mail apart, within limits, whatever it is
    status_report.py  reports by the standard (RFC 3464, 6522, 6533)
    feedback.py       complaints (RFC 5965)
    amazon.py         what Amazon SES tells as JSON
    notices.py        what servers write for people, by the shapes of their notices
    people.py         wishes to leave, automatic answers, replies
    verdicts.py       why it failed: dead, transient, or our own fault
    codes.py          what a status code says (RFC 3463 and its registry)
    phrases.py        what servers' words say (phrases.toml)
    phases.py         at which point of the session they said it
    wordings.py       how notices are worded (wordings.toml)
    addresses.py      addresses in text
    traces.py         what of ours is in it: tokens, the Message-ID
    policy.py         what it leads to: nothing, a count, a suspension, a suppression
    sources.py        where it lies: Maildir, mbox, file, folder, standard input
    imap.py           the same over IMAP
    hooks/            what providers post, verified: Amazon SES, Mailgun, Postmark, SendGrid, any other

A new format needs its words in wordings.toml and phrases.toml, and code only where its shape is new.
"""
