"""Mail that looks like a bounce to programs and is none, labelled before the parser saw it.

Formats: RFC 8098 (read receipts), RFC 8460 (TLS reports), RFC 7489 appendix (DMARC reports), Mailman, RFC 3834, Postfix
(bounce(5), the warning of a delay).
"""

from dispatcher.returns.returned import Class
from tests.returns.mails import mail_of

CLEO = "cleo@example.com"
_TO = "To: bounces+token@example.org"

OTHERS: dict[str, tuple[bytes, Class]] = {
    "a read receipt": (
        mail_of(
            f"""
            From: Ann <ann@example.com>
            {_TO}
            Subject: Read: Test Letter 29
            Content-Type: multipart/report; report-type=disposition-notification; boundary=b
            """,
            """
            --b

            Your message was displayed. This is no guarantee that it was read or understood.

            --b
            Content-Type: message/disposition-notification

            Final-Recipient: rfc822; ann@example.com
            Original-Message-ID: <i29.abcdefghij@example.org>
            Disposition: manual-action/MDN-sent-manually; displayed

            --b--
            """,
        ),
        Class.AUTO_REPLY,
    ),
    "a receipt of who deleted it": (
        mail_of(
            f"""
            From: Ann <ann@example.com>
            {_TO}
            Subject: Not read: Test Letter 29
            Content-Type: multipart/report; report-type=disposition-notification; boundary=b
            """,
            """
            --b

            Your message was deleted without being read.

            --b
            Content-Type: message/disposition-notification

            Final-Recipient: rfc822; ann@example.com
            Disposition: automatic-action/MDN-sent-automatically; deleted
            Failure: mailbox full

            --b--
            """,
        ),
        Class.AUTO_REPLY,
    ),
    "a TLS report": (
        mail_of(
            """
            From: tlsrpt@mx.example.com
            To: postmaster@example.org
            Subject: Report Domain: example.org Submitter: mx.example.com Report-ID: <2026.11.25@example.com>
            TLS-Report-Domain: example.org
            Content-Type: multipart/report; report-type=tlsrpt; boundary=b
            """,
            """
            --b

            This is an aggregate TLS report. 3 sessions failed: certificate expired, could not deliver.

            --b
            Content-Type: application/tlsrpt+json

            {"organization-name": "example.com"}
            --b--
            """,
        ),
        Class.UNKNOWN,
    ),
    "a DMARC report": (
        mail_of(
            """
            From: noreply-dmarc-support@example.com
            To: postmaster@example.org
            Subject: Report domain: example.org Submitter: example.com Report-ID: 1
            Content-Type: application/zip; name=report.zip
            Content-Transfer-Encoding: base64
            """,
            "UEsDBBQAAAAIAA==",
        ),
        Class.UNKNOWN,
    ),
    "held for a moderator": (
        mail_of(
            f"""
            From: talk-bounces@lists.example.net
            {_TO}
            Subject: Your message to Talk awaits moderator approval
            Precedence: bulk
            List-Id: <talk.lists.example.net>
            """,
            """
            Your mail to 'Talk' with the subject Test Letter 29 is being held until the list moderator can review it
            for approval. The reason it is being held: Post by non-member to a members-only list
            """,
        ),
        Class.UNKNOWN,
    ),
    "away, and of returned mail": (
        mail_of(
            f"""
            From: Ann <ann@example.com>
            {_TO}
            Subject: Abwesenheitsnotiz: Test Letter 29
            Auto-Submitted: auto-replied
            """,
            """
            Ich bin bis Montag nicht erreichbar. Ihre Nachricht konnte nicht zugestellt werden? Dann schreiben Sie bitte
            an cleo@example.com.
            """,
        ),
        Class.AUTO_REPLY,
    ),
    "a ticket": (
        mail_of(
            f"""
            From: Support <support@example.com>
            {_TO}
            Subject: [#4711] Ticket received: Test Letter 29
            Auto-Submitted: auto-generated
            """,
            "We have received your message. A member of our team will reply as soon as possible.",
        ),
        Class.AUTO_REPLY,
    ),
    "a reader quotes a notice": (
        mail_of(
            """
            From: Bob <bob@example.com>
            To: editor@example.org
            Subject: Re: Test Letter 29
            """,
            """
            Hello, I forwarded the letter to my brother and it came back:

            > <dan@example.com>: host mx.example.com said: 550 5.1.1 User unknown

            Do you know his new address?
            """,
        ),
        Class.REPLY,
    ),
    "Postfix still tries": (
        mail_of(
            f"""
            From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
            {_TO}
            Subject: Delayed Mail (still being retried)
            """,
            """
            This is the mail system at host mx.example.net.

            ####################################################################
            # THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #
            ####################################################################

            Your message could not be delivered for more than 4 hour(s).
            It will be retried until it is 5 day(s) old.

            <cleo@example.com>: connect to mx.example.com[192.0.2.7]:25: Connection timed out
            """,
            reader=CLEO,
        ),
        Class.DELAY,
    ),
}
