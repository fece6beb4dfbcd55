"""WHY receivers will refuse us: what can be seen before a send. This is the room's floor plan.

finding.py   what was found, how bad it is, and the remedy
dns.py       questions to the DNS
spf.py       who may send for the return path's domain
dkim.py      whether the published key is ours
dmarc.py     what receivers are told to do, and whether our domains are aligned
hosts.py     the return path's mail server, the relay's reverse name
pages.py     the readers' pages over https, and the clock
machine.py   keys, database, secrets, the inbox of returned mail
"""
