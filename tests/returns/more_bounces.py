"""More returned mail in documented formats, labelled before the parser saw it.

Formats: Exim (bounce_message_file), Sendmail (savemail.c), qmail-send, Exchange Online and Outlook ("What an NDR
contains"), Gmail, MDaemon, hMailServer, CommuniGate Pro, Amazon SES, IceWarp, Alibaba.
"""

from dispatcher.returns.returned import Verdict
from tests.returns.mails import mail_of

DEAD, TRANSIENT, SENDER = Verdict.DEAD, Verdict.TRANSIENT, Verdict.SENDER
DAN, CLEO, EVE = "dan@example.com", "cleo@example.com", "eve@example.com"
_TO = "To: bounces+token@example.org"

BOUNCES: dict[str, tuple[bytes, dict[str, Verdict]]] = {
    "Exim, three recipients": (
        mail_of(
            f"""
            From: Mail Delivery System <Mailer-Daemon@mx.example.net>
            {_TO}
            Subject: Mail delivery failed: returning message to sender
            Auto-Submitted: auto-replied
            """,
            """
            This message was created automatically by mail delivery software.

            A message that you sent could not be delivered to one or more of its
            recipients. This is a permanent error. The following address(es) failed:

              dan@example.com
                Unrouteable address
              cleo@example.com
                host mx.example.com [192.0.2.7]
                SMTP error from remote mail server after end of data:
                452 4.2.2 Mailbox full: retry timeout exceeded
              eve@example.com
                host mx.example.com [192.0.2.7]
                SMTP error from remote mail server after initial connection:
                554 5.7.1 Your host is on our block list

            ------ This is a copy of your message, including all the headers. ------

            @@ORIGINAL@@
            """,
        ),
        {DAN: DEAD, CLEO: TRANSIENT, EVE: SENDER},
    ),
    "Sendmail, given up after five days": (
        mail_of(
            f"""
            From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>
            {_TO}
            Subject: Returned mail: Cannot send message for 5 days
            """,
            """
            The original message was received at Fri, 20 Nov 2026 09:00:00 GMT
            from letter.example.org [192.0.2.1]

               ----- The following addresses had permanent fatal errors -----
            <cleo@example.com>

               ----- Transcript of session follows -----
            <cleo@example.com>... Deferred: Connection timed out with mx.example.com.
            Message could not be delivered for 5 days
            Message will be deleted from queue

               ----- Original message follows -----

            @@ORIGINAL@@
            """,
            reader=CLEO,
        ),
        {CLEO: TRANSIENT},
    ),
    "Sendmail, no such host": (
        mail_of(
            f"""
            From: Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>
            {_TO}
            Subject: Returned mail: Host unknown (Name server: example.com: host not found)
            """,
            """
               ----- The following addresses had permanent fatal errors -----
            <dan@example.com>
                (reason: 550 Host unknown)

               ----- Transcript of session follows -----
            550 5.1.2 <dan@example.com>... Host unknown (Name server: example.com: host not found)
            """,
        ),
        {DAN: DEAD},
    ),
    "qmail, two recipients": (
        mail_of(
            f"""
            From: MAILER-DAEMON@mx.example.net
            {_TO}
            Subject: failure notice
            """,
            """
            Hi. This is the qmail-send program at mx.example.net.
            I'm afraid I wasn't able to deliver your message to the following addresses.
            This is a permanent error; I've given up. Sorry it didn't work out.

            <dan@example.com>:
            192.0.2.7 does not like recipient.
            Remote host said: 550 5.1.1 unknown user
            Giving up on 192.0.2.7.

            <cleo@example.com>:
            CNAME lookup failed temporarily. (#4.4.3)
            I'm not going to try again; this message has been in the queue too long.

            --- Below this line is a copy of the message.

            @@ORIGINAL@@
            """,
        ),
        {DAN: DEAD, CLEO: TRANSIENT},
    ),
    "Outlook, in words alone": (
        mail_of(
            f"""
            From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com>
            {_TO}
            Subject: Undeliverable: Test Letter 29
            Content-Type: text/html; charset=utf-8
            """,
            """
            <html><body><p>Delivery has failed to these recipients or groups:</p>
            <p><a href="mailto:dan@example.com">dan@example.com</a><br>The email address you entered couldn't be found.
            Please check the recipient's email address and try to resend the message.</p>
            <p><b>Diagnostic information for administrators:</b></p>
            <p>Generating server: mx.example.com</p><p>dan@example.com<br>
            Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address
            lookup'</p></body></html>
            """,
        ),
        {DAN: DEAD},
    ),
    "Gmail, the newer text": (
        mail_of(
            f"""
            From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
            {_TO}
            Subject: Delivery Status Notification (Failure)
            X-Failed-Recipients: cleo@example.com
            Auto-Submitted: auto-replied
            """,
            """
            ** Message not delivered **

            Your message couldn't be delivered to cleo@example.com because their inbox is full, or it's getting too
            much mail right now.

            The response was:

            The recipient's inbox is out of storage space and inactive. Please direct the recipient to
            https://support.example.net/mail/?p=OverQuotaPerm
            """,
            reader=CLEO,
        ),
        {CLEO: TRANSIENT},
    ),
    "MDaemon": (
        mail_of(
            f"""
            From: MDaemon@mx.example.net
            {_TO}
            Subject: Permanent Delivery Failure
            """,
            """
            The attached message had PERMANENT fatal delivery errors!

            After one or more unsuccessful delivery attempts the attached message has
            been removed from the mail queue on this server.

            YOUR MESSAGE WAS NOT DELIVERED TO ONE OR MORE RECIPIENTS!

            Failed address: dan@example.com

            --- Session Transcript ---
             Wed 2026-11-25 09:00:01: --> MAIL From:<bounces+token@example.org>
             Wed 2026-11-25 09:00:01: <-- 250 2.1.0 Sender OK
             Wed 2026-11-25 09:00:01: --> RCPT To:<dan@example.com>
             Wed 2026-11-25 09:00:01: <-- 550 5.1.1 Recipient unknown
             Wed 2026-11-25 09:00:01: --> QUIT
            --- End Transcript ---
            """,
        ),
        {DAN: DEAD},
    ),
    "hMailServer": (
        mail_of(
            f"""
            From: mailer-daemon@mx.example.net
            {_TO}
            Subject: Message undeliverable: Test Letter 29
            """,
            """
            Your message did not reach some or all of the intended recipients.

               Sent: Wed, 25 Nov 2026 09:00:00 +0000
               Subject: Test Letter 29

            The following recipient(s) could not be reached:

            dan@example.com
               Error Type: SMTP
               Remote server (192.0.2.7) issued an error.
               hMailServer sent: RCPT TO:<dan@example.com>
               Remote server replied: 550 Mailbox does not exist


            hMailServer
            """,
        ),
        {DAN: DEAD},
    ),
    "CommuniGate Pro": (
        mail_of(
            f"""
            From: <MAILER-DAEMON@mx.example.net>
            {_TO}
            Subject: Undeliverable mail: Test Letter 29
            """,
            """
            Failed to deliver to 'dan@example.com'
            LOCAL module(account dan) reports:
             account is full (quota exceeded)
            """,
        ),
        {DAN: TRANSIENT},
    ),
    "Amazon SES, in words": (
        mail_of(
            f"""
            From: MAILER-DAEMON@email-bounces.example.net
            {_TO}
            Subject: Delivery Status Notification (Failure)
            """,
            """
            An error occurred while trying to deliver the mail to the following recipients:
            dan@example.com: 550 5.1.1 The email account that you tried to reach does not exist
            """,
        ),
        {DAN: DEAD},
    ),
    "IceWarp": (
        mail_of(
            f"""
            From: Mail Administrator <postmaster@mx.example.net>
            {_TO}
            Subject: Delivery failure: Test Letter 29
            """,
            """
            This is an automatically generated Delivery Status Notification.

            Delivery to the following recipients failed.

               eve@example.com

            Reason: 554 5.7.1 Message rejected as spam by content filtering
            """,
            reader=EVE,
        ),
        {EVE: SENDER},
    ),
    "Alibaba, in Chinese": (
        mail_of(
            f"""
            From: 邮件系统 <postmaster@mx.example.cn>
            {_TO}
            Subject: 退信通知：Test Letter 29
            Content-Type: text/plain; charset=utf-8
            """,
            """
            您好，您发送给 wangfang@example.com 的邮件被对方服务器拒绝接收，投递失败。

            收件人：wangfang@example.com
            失败原因：552 5.2.2 对方邮箱容量已满
            """,
            reader="wangfang@example.com",
        ),
        {"wangfang@example.com": TRANSIENT},
    ),
}
