"""Dispatcher: a newsletter kept in git and sent with one command. This is the floor plan.

    cli/            the commands: parse, call one function, print, exit
    recipes/        the ways through the house; recipes/send_issue.py is `send-issue 29`, top to bottom
    config.py       [tool.dispatcher] and the environment → Settings
    pyproject.py    where those settings stand in the file
    tables.py       the tables below [tool.dispatcher]: relays, pace, dkim
    errors.py       what the operator can put right, with exit codes
    models.py       the nouns that cross rooms
    tokens.py       signed names: in the unsubscribe link, in the return path
    expressions.py  which readers something is for: `plan == "pro" and not "beta" in tags`
    audience/       WHO gets it: lists, their files and those of others, people, languages
    content/        WHAT they get: source/ → tree → drawing/ (MJML and text) → inlined edition → message/
    delivery/       HOW it travels: relays, verdicts, the engine (async, as are web/ and the queue in storage/jobs.py)
    returns/        WHAT comes back: one reader of returned mail, and the policy on it
    doctor/         WHY receivers will refuse us: DNS, TLS, pages, keys
    desk/           what the EDITOR sees: findings, preview, differences, report, archive, progress, readers
    web/            what READERS see, and other systems ask: one ASGI app
    storage/        what we REMEMBER: the only SQL (schema, readers and who may change what, mailings, ledger);
                    SQLite and PostgreSQL differ in sqlite.py and postgres.py, their pens, and dialects.py alone;
                    where several send, releases.py deals out blocks of a mailing and runs.py tells the living

`send-issue 29` runs straight through:

    load ▶ compose editions ▶ check fields ▶ freeze + enqueue ▶ ( merge ▶ claim ▶ send ▶ record )* ▶ report
    content    content          storage         storage           content  storage delivery storage   desk

Arrows point down only: cli → recipes → rooms → storage, tokens, expressions → models, errors. A room does not import
another room; a recipe joins them by passing functions and values. `content` never sees the database; `storage` never
sees a template; settings stop at the recipes and the commands.
"""
