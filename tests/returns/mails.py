"""Returned mail as the formats' own documentation describes it, written for these tests; about the standing cast."""

from textwrap import dedent

ORIGINAL = """\
Return-Path: <bounces+token@example.org>
Date: Wed, 25 Nov 2026 09:00:00 +0000
From: Test Letter <letter@example.org>
To: {reader}
Subject: Test Letter 29: two small stories
Message-ID: <i29.abcdefghij@example.org>
List-Unsubscribe: <https://letter.example.org/u/sample>
"""


def mail_of(header: str, body: str, *, reader: str = "dan@example.com") -> bytes:
    text = dedent(header).strip("\n") + "\n\n" + dedent(body).strip("\n") + "\n"
    return text.replace("@@ORIGINAL@@", ORIGINAL.format(reader=reader).strip("\n")).encode()


def report(
    *, status: str = "5.1.1", action: str = "failed", diagnostic: str = "smtp; 550 5.1.1 <dan@example.com>: unknown",
    reader: str = "dan@example.com", kind: str = "delivery-status",
    subject: str = "Undelivered Mail Returned to Sender", words: str = "Your message could not be delivered.",
) -> bytes:  # fmt: skip
    """RFC 3464, as short as it may be."""
    head = f"""\
From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
To: bounces+token@example.org
Subject: {subject}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1

{words}

--b1
Content-Type: message/{kind}

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {reader}
Action: {action}
Status: {status}
Diagnostic-Code: {diagnostic}

--b1
Content-Type: text/rfc822-headers

"""
    return (head + ORIGINAL.format(reader=reader) + "\n--b1--\n").encode()


QMAIL = mail_of(
    """
    From: MAILER-DAEMON@mx.example.net
    To: bounces+token@example.org
    Subject: failure notice
    """,
    """
    Hi. This is the qmail-send program at mx.example.net.
    I'm afraid I wasn't able to deliver your message to the following addresses.
    This is a permanent error; I've given up. Sorry it didn't work out.

    <dan@example.com>:
    Sorry, no mailbox here by that name. (#5.1.1)

    --- Below this line is a copy of the message.

    @@ORIGINAL@@
    """,
)

EXIM = mail_of(
    """
    From: Mail Delivery System <Mailer-Daemon@mx.example.net>
    To: bounces+token@example.org
    X-Failed-Recipients: cleo@example.com
    Auto-Submitted: auto-replied
    Subject: Mail delivery failed: returning message to sender
    """,
    """
    This message was created automatically by mail delivery software.

    A message that you sent could not be delivered to one or more of its
    recipients. This is a permanent error. The following address(es) failed:

      cleo@example.com
        host mx.example.com [192.0.2.7]
        SMTP error from remote mail server after RCPT TO:<cleo@example.com>:
        552 5.2.2 mailbox is over its quota

    ------ This is a copy of the message, including all the headers. ------

    @@ORIGINAL@@
    """,
    reader="cleo@example.com",
)

EXIM_AFTER_MAIL = EXIM.replace(
    b"after RCPT TO:<cleo@example.com>:\n    552 5.2.2 mailbox is over its quota",
    b"after MAIL FROM:<bounces+token@example.org>:\n    550 unknown user",
)

POSTFIX = report(
    words="This is the mail system at host mx.example.net.\n\n"
    "<dan@example.com>: host mx.example.com[192.0.2.7] said: 550\n"
    "    5.1.1 <dan@example.com>: Recipient address rejected: User unknown (in reply to\n    RCPT TO command)",
    diagnostic="smtp; 550 5.1.1 <dan@example.com>: Recipient address rejected: User unknown",
)

POSTFIX_AFTER_CONTENT = report(
    status="5.0.0",
    words="This is the mail system at host mx.example.net.\n\n"
    "<dan@example.com>: host mx.example.com[192.0.2.7] said: 550\n"
    "    Unknown user (in reply to end of DATA command)",
    diagnostic="smtp; 550 Unknown user",
)

SENDMAIL = mail_of(
    """
    From: Mail Delivery Subsystem <MAILER-DAEMON>
    To: <bounces+token@example.org>
    Subject: Returned mail: see transcript for details
    """,
    """
    The original message was received at Wed, 25 Nov 2026 09:00:00 GMT
    from letter.example.org [192.0.2.1]

       ----- The following addresses had permanent fatal errors -----
    <dan@example.com>
        (reason: 550 5.1.1 <dan@example.com>... User unknown)

       ----- Transcript of session follows -----
    ... while talking to mx.example.com.:
    >>> RCPT To:<dan@example.com>
    <<< 550 5.1.1 <dan@example.com>... User unknown
    550 5.1.1 <dan@example.com>... User unknown

       ----- Original message follows -----

    @@ORIGINAL@@
    """,
)

EXCHANGE = mail_of(
    """
    From: System Administrator <postmaster@example.com>
    To: bounces+token@example.org
    Subject: Undeliverable: Test Letter 29
    """,
    """
    Your message

      To:      dan@example.com
      Subject: Test Letter 29
      Sent:    Wed, 25 Nov 2026 09:00:00 -0000

    did not reach the following recipient(s):

    dan@example.com on Wed, 25 Nov 2026 09:00:05 -0000
        The recipient name is not recognized
            The MTS-ID of the original message is: c=us;a= ;p=Example
        MSEXCH:IMS:Example:HOUSE:MAIL 0 (000C05A6) Unknown Recipient
    """,
)

MICROSOFT_365 = report(
    status="5.7.515",
    reader="eve@example.com",
    diagnostic="smtp;550 5.7.515 Access denied, sending domain example.org does not meet the required authentication "
    "level.",
    words="Your message to eve@example.com couldn't be delivered.",
)

GMAIL = mail_of(
    """
    From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
    To: bounces+token@example.org
    Subject: Delivery Status Notification (Failure)
    """,
    """
    Delivery to the following recipient failed permanently:

         dan@example.com

    Technical details of permanent failure:
    Google tried to deliver your message, but it was rejected by the server for the recipient domain example.com.

    The error that the other server returned was:
    550 5.7.1 Our system has detected that this message is likely unsolicited mail.

    ----- Original message -----

    @@ORIGINAL@@
    """,
)

YAHOO = mail_of(
    """
    From: MAILER-DAEMON@yahoo.example
    To: bounces+token@example.org
    Subject: Failure Notice
    """,
    """
    Sorry, we were unable to deliver your message to the following address.

    <dan@example.com>:
    Remote host said:
    554 delivery error: dd This user doesn't have an example.com account (dan@example.com) [0]
    [RCPT_TO]

    --- Below this line is a copy of the message.

    @@ORIGINAL@@
    """,
)

OPENSMTPD = mail_of(
    """
    From: Mailer Daemon <MAILER-DAEMON@mx.example.net>
    To: bounces+token@example.org
    Subject: Delivery status notification: error
    """,
    """
        Hi!

        This is the MAILER-DAEMON, please DO NOT REPLY to this email.

        An error has occurred while attempting to deliver a message for
        the following list of recipients:

    dan@example.com: 550 5.1.1 User unknown

        Below is a copy of the original message:

    @@ORIGINAL@@
    """,
)

COURIER = mail_of(
    """
    From: "Courier mail server at mx.example.net" <@>
    To: bounces+token@example.org
    Subject: NOTICE: mail delivery status.
    Return-Path: <>
    """,
    """
    This is a delivery status notification from mx.example.net,
    running the Courier mail server, version 1.0.

    The original message was received on Wed, 25 Nov 2026 09:00:00 +0000

    UNDELIVERABLE MAIL

    Your message to the following recipients cannot be delivered:

    <dan@example.com>:
         mx.example.com [192.0.2.7]:
         >>> RCPT TO:<dan@example.com>
         <<< 550 User unknown.

    If your message was also sent to additional recipients, their delivery
    status is not included in this report.
    """,
)

NOTES = mail_of(
    """
    From: Postmaster@example.com
    To: bounces+token@example.org
    Subject: DELIVERY FAILURE: User dan (dan@example.com) not listed in Domino Directory
    """,
    """
    Your message

      Subject: Test Letter 29

    was not delivered to:

      dan@example.com

    because:

      User dan (dan@example.com) not listed in Domino Directory
    """,
)

ZOHO = mail_of(
    """
    From: mailer-daemon@mail.zoho.example
    To: bounces+token@example.org
    Subject: Undelivered Mail Returned to Sender
    """,
    """
    This message was created automatically by mail delivery software.
    A message that you sent could not be delivered to one or more of its recipients. This is a permanent error.

    dan@example.com Invalid Address, ERROR_CODE :550, ERROR_CODE :5.1.1 <dan@example.com>: no such mailbox
    """,
)

DRAGONFLY = mail_of(
    """
    From: MAILER-DAEMON <>
    To: bounces+token@example.org
    Subject: Mail delivery failed
    """,
    """
    This is the DragonFly Mail Agent v0.13 at mx.example.net.

    There was an error delivering your mail to <dan@example.com>.

    mx.example.com [192.0.2.7] did not like our RCPT TO:
    550 5.1.1 <dan@example.com>: no such user here

    Message headers follow.

    @@ORIGINAL@@
    """,
)

CARRIER = mail_of(
    """
    From: no-reply@carrier.example
    To: bounces+token@example.org
    Subject: Mail
    """,
    """
    Your mail sent on: Wed, 25 Nov 2026 09:00:00 +0000
         Could not be delivered to: <cleo@example.com>
         As their mailbox is full.
    """,
)

TENCENT = mail_of(
    """
    From: PostMaster@qq.example
    To: bounces+token@example.org
    Subject: 系统退信/Systems bounce
    Content-Type: text/plain; charset=utf-8
    """,
    """
    抱歉，您的邮件被退回来了……

    原邮件信息：
    收件人：wangfang@example.com

    退信原因：
    收件人邮件地址（wangfang@example.com）不存在，邮件无法送达。
    host mx.example.com said: 550 Mailbox not found.

    解决方案：
    请联系您的收件人，重新核实邮箱地址。
    """,
    reader="wangfang@example.com",
)

NETEASE = mail_of(
    """
    From: Postmaster@netease.example
    To: bounces+token@example.org
    Subject: =?GBK?B?z7XNs83L0MU=?=
    Content-Type: text/plain; charset=utf-8
    """,
    """
    抱歉，您的邮件无法投递到以下收件人：
    wangfang@example.com
    退信原因：对方邮箱空间已满 (552 Quota exceeded)
    """,
    reader="wangfang@example.com",
)

DELAY = mail_of(
    """
    From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
    To: bounces+token@example.org
    Subject: Delivery Status Notification (Delay)
    """,
    """
    THIS IS A WARNING MESSAGE ONLY.

    YOU DO NOT NEED TO RESEND YOUR MESSAGE.

    Delivery to the following recipient has been delayed:

         cleo@example.com

    Message will be retried for 2 more day(s)

    Technical details of temporary failure:
    450 4.2.2 The mailbox is full

    ----- Original message -----

    @@ORIGINAL@@
    """,
    reader="cleo@example.com",
)


def complaint(
    kind: str = "abuse", *, recipient: str = "Original-Rcpt-To: <dan@example.com>\n", to: str = "dan@example.com"
) -> bytes:
    """RFC 5965; with an empty `recipient` and another `to` as receivers redact it."""
    head = f"""\
From: feedback@fbl.example.net
To: abuse@example.org
Subject: FW: Test Letter 29
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b1"

--b1

This is an email abuse report.

--b1
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <bounces+token@example.org>
{recipient}
--b1
Content-Type: message/rfc822

"""
    return (head + ORIGINAL.format(reader=to) + "\nDear reader\n\n--b1--\n").encode()


def amazon(message: str) -> bytes:
    return mail_of(
        """
        From: AWS Notifications <no-reply@sns.amazonaws.com>
        To: bounces@example.org
        Subject: AWS Notification Message
        """,
        message,
    )


AMAZON_BOUNCE = amazon(
    '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bounceSubType":"General",'
    '"bouncedRecipients":[{"emailAddress":"dan@example.com","status":"5.1.1","action":"failed",'
    '"diagnosticCode":"smtp; 550 5.1.1 user unknown"}]},"mail":{"source":"bounces+token@example.org"}}'
)
AMAZON_COMPLAINT = amazon(
    '{"notificationType":"Complaint","complaint":{"complainedRecipients":[{"emailAddress":"dan@example.com"}],'
    '"complaintFeedbackType":"abuse"},"mail":{}}'
)
AMAZON_DELIVERY = amazon(
    '{"notificationType":"Delivery","delivery":{"recipients":["ann@example.com"],"smtpResponse":"250 2.6.0 ok"},'
    '"mail":{}}'
)

OUT_OF_OFFICE = mail_of(
    """
    From: Ann <ann@example.com>
    To: letter@example.org
    Subject: Automatic reply: Test Letter 29
    Auto-Submitted: auto-replied
    Return-Path: <>
    """,
    "I am away until Monday. In urgent cases write to bob@example.com; mail to cleo@example.com cannot be delivered.",
)
OUT_OF_OFFICE_ZH = mail_of(
    """
    From: wangfang@example.com
    To: letter@example.org
    Subject: =?utf-8?b?6Ieq5Yqo5Zue5aSNOiDmtYvor5XlkajliIo=?=
    Content-Type: text/plain; charset=utf-8
    """,
    "我正在休假，不在办公室。",
)
APPLE_UNSUBSCRIBE = mail_of(
    """
    From: ann@icloud.example
    To: bounces+token@example.org
    Subject: unsubscribe
    Auto-Submitted: auto-replied
    """,
    "Apple Mail sent this email to unsubscribe from the message.",
)
REPLY = mail_of(
    """
    From: Ann <ann@example.com>
    To: editor@example.org
    Subject: Re: Test Letter 29
    """,
    "Lovely kettle! A letter of mine to dan@example.com was returned to me the other day, by the way.",
)
ANOTHER_NEWSLETTER = mail_of(
    """
    From: News <news@example.net>
    To: letter@example.org
    Subject: Why mail delivery fails
    List-Id: news.example.net
    Precedence: bulk
    """,
    "Ten reasons why mail could not be delivered to the following recipients: 550 5.1.1 User unknown.",
)
