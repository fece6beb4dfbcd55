"""Notices of gateways and older servers as their documentation shows them, labelled before the parser saw them.

Formats: 1&1, GMX, MailMarshal, IMail, Oracle Messaging Server, InterScan, Sendmail 5, Verizon's mobile gateway, Domino,
Exchange 2003, and a mailer that tells it in words alone. SurfControl's, which names neither a status nor a command,
is read as "filtered": whether its "550 No such user" is about the mailbox cannot be told.
"""

from dispatcher.returns.returned import Verdict
from tests.returns.mails import mail_of

DEAD, TRANSIENT, SENDER = Verdict.DEAD, Verdict.TRANSIENT, Verdict.SENDER
_TO = "To: bounces+token@example.org"

GATEWAYS: dict[str, tuple[bytes, dict[str, Verdict]]] = {
    "1&1": (
        mail_of(
            f"""
            From: Mail Delivery System <mailer-daemon@mx.example.net>
            {_TO}
            Subject: Mail delivery failed: returning message to sender
            """,
            """
            This message was created automatically by mail delivery software.

            A message that you sent could not be delivered to one or more of
            its recipients. This is a permanent error.

            The following address failed:

            dan@example.com:
            SMTP error from remote server for RCPT TO command, host: mx.example.com (192.0.2.7)
            reason: 550 5.1.1 <dan@example.com>: Recipient address rejected: User unknown

            --- The header of the original message is following. ---

            @@ORIGINAL@@
            """,
        ),
        {"dan@example.com": DEAD},
    ),
    "GMX": (
        mail_of(
            f"""
            From: GMX Mailer Daemon <mailer-daemon@mx.example.net>
            {_TO}
            Subject: Mail delivery failed: returning message to sender
            """,
            """
            This message was created automatically by mail delivery software.

            A message that you sent could not be delivered to one or more of its
            recipients. This is a permanent error. The following address(es) failed:

            "cleo@example.com":
            SMTP error from remote server after RCPT command:
            host: mx.example.com
            5.2.2 <cleo@example.com>... Mailbox Full

            --- The header of the original message is following. ---

            @@ORIGINAL@@
            """,
            reader="cleo@example.com",
        ),
        {"cleo@example.com": TRANSIENT},
    ),
    "MailMarshal": (
        mail_of(
            f"""
            From: postmaster@mx.example.net
            {_TO}
            Subject: Undeliverable Mail: "Test Letter 29"
            """,
            """
            Your message:
               From:    letter@example.org
               Subject: Test Letter 29

            Could not be delivered because of

            550 5.1.1 User unknown

            The following recipients were affected:
                dan@example.com

            Additional Information
            ======================
            Original Sender:    <bounces+token@example.org>
            Sender-MTA:         <192.0.2.1>
            Remote-MTA:         <192.0.2.7>
            """,
        ),
        {"dan@example.com": DEAD},
    ),
    "IMail": (
        mail_of(
            f"""
            From: Postmaster <postmaster@mx.example.net>
            {_TO}
            Subject: Undeliverable Mail
            X-Mailer: <SMTP32 v8.22>
            """,
            """
            Unknown user: dan@example.com

            Original message follows.

            @@ORIGINAL@@
            """,
        ),
        {"dan@example.com": DEAD},
    ),
    "Messaging Server": (
        mail_of(
            f"""
            From: Internet Mail Delivery <postmaster@mx.example.net>
            {_TO}
            Subject: Delivery Notification: Delivery has failed
            """,
            """
            This report relates to a message you sent with the following header fields:

              Message-id: <i29.abcdefghij@example.org>
              Date: Wed, 25 Nov 2026 09:00:00 +0000
              From: Test Letter <letter@example.org>
              To: dan@example.com
              Subject: Test Letter 29

            Your message cannot be delivered to the following recipients:

              Recipient address: dan@example.com
              Reason: Remote SMTP server has rejected address
              Diagnostic code: smtp;550 5.1.1 <dan@example.com>... User Unknown
              Remote system: dns;mx.example.com (TCP|192.0.2.1|42|192.0.2.7|25)
            """,
        ),
        {"dan@example.com": DEAD},
    ),
    "InterScan": (
        mail_of(
            f"""
            From: "InterScan MSS" <postmaster@mx.example.net>
            {_TO}
            Subject: Mail delivery failure
            """,
            """
            Unable to deliver message to <dan@example.com>
            Sent <<< RCPT TO:<dan@example.com>
            Received >>> 550 5.1.1 <dan@example.com>: Recipient address rejected: User unknown in local recipient table
            """,
        ),
        {"dan@example.com": DEAD},
    ),
    "Sendmail 5": (
        mail_of(
            f"""
            From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>
            {_TO}
            Subject: Returned mail: User unknown
            """,
            """
               ----- Transcript of session follows -----
            While talking to mx.example.com:
            >>> RCPT To:<dan@example.com>
            <<< 550 5.1.1 User unknown
            550 <dan@example.com>... User unknown

               ----- Unsent message follows -----
            @@ORIGINAL@@
            """,
        ),
        {"dan@example.com": DEAD},
    ),
    "a mailer in words": (
        mail_of(
            f"""
            From: Mail System <mailer-daemon@mx.example.net>
            {_TO}
            Subject: There was an error sending your mail
            """,
            """
            I had a problem attempting to deliver your mail to the following recipients.

            The following recipients returned permanent errors: dan@example.com.

            The reason: 550 5.1.1 no mailbox here by that name
            """,
        ),
        {"dan@example.com": DEAD},
    ),
    "Verizon": (
        mail_of(
            f"""
            From: post_master@mms.example.net
            {_TO}
            Subject: Undeliverable Message
            """,
            """
            Message could not be delivered to mobile.
            Error: No valid recipients for this MM

            From: <letter@example.org>
            To: 5550100@mms.example.com
            Subject: Test Letter 29
            """,
            reader="5550100@mms.example.com",
        ),
        {"5550100@mms.example.com": DEAD},
    ),
    "Domino": (
        mail_of(
            f"""
            From: postmaster@mx.example.net
            {_TO}
            Subject: DELIVERY FAILURE: Router: Mailbox size exceeded for user cleo@example.com
            """,
            """
            Your message

              Subject: Test Letter 29

            was not delivered to:

              cleo@example.com

            because:

              Router: Database disk quota exceeded
            """,
            reader="cleo@example.com",
        ),
        {"cleo@example.com": TRANSIENT},
    ),
    "Exchange 2003": (
        mail_of(
            f"""
            From: System Administrator <postmaster@mx.example.net>
            {_TO}
            Subject: Undeliverable: Test Letter 29
            """,
            """
            Your message

              To:      eve@example.com
              Subject: Test Letter 29
              Sent:    Wed, 25 Nov 2026 09:00:00 +0000

            did not reach the following recipient(s):

            eve@example.com on Wed, 25 Nov 2026 09:00:05 +0000
                You do not have permission to send to this recipient.
                For assistance, contact your system administrator.
                <mx.example.net #5.7.1 smtp;550 5.7.1 Unable to relay for eve@example.com>
            """,
            reader="eve@example.com",
        ),
        {"eve@example.com": SENDER},
    ),
}
