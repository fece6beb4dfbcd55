"""Dispatcher: a newsletter kept in git and sent with one command. This is the floor plan.

    cli/            the commands: parse, call one function, print, exit
    recipes/        the ways through the house; recipes/send_issue.py is `send-issue 29`, top to bottom
    config.py       [tool.dispatcher] and the environment → Settings
    errors.py       what the operator can put right, with exit codes
    models.py       the nouns that cross rooms
    tokens.py       signed names: in the unsubscribe link, in the return path
    audience/       WHO gets it: lists, their files, languages
    content/        WHAT they get: source → tree → MJML and text → inlined edition → message
    delivery/       HOW it travels: relays, verdicts, the engine (the only async besides web/)
    desk/           what the EDITOR sees: status, report, progress
    web/            what READERS see: one ASGI app
    storage/        what we REMEMBER: the only SQL (schema, subscribers, mailings, ledger)

`send-issue 29` runs straight through:

    load ▶ compose editions ▶ check fields ▶ freeze + enqueue ▶ ( merge ▶ claim ▶ send ▶ record )* ▶ report
    content    content          storage         storage           content  storage delivery storage   desk

Arrows point down only: cli → recipes → rooms → storage, tokens → models, errors. A room does not import another
room; a recipe joins them by passing functions and values. `content` never sees the database; `storage` never sees
a template; settings stop at the recipes and the commands.
"""
