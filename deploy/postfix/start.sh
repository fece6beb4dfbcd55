# Sets Postfix up from its environment, and runs it.
#   MAIL_HOST      the name it greets with; the reverse name of the machine's address must lead to it
#   MAIL_GOES_OUT  yes: it delivers. Otherwise it takes everything and throws it away, as on a laptop.
set -eu

cp --update /usr/share/postfix/main.cf.debian /etc/postfix/main.cf
cp --update /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
postconf -e \
  "myhostname = $MAIL_HOST" \
  "mydestination =" \
  "mynetworks_style = subnet" \
  "smtpd_relay_restrictions = permit_mynetworks, reject" \
  "smtpd_client_connection_count_limit = 100" \
  "recipient_delimiter = +" \
  "smtp_tls_security_level = may" \
  "smtp_tls_CApath = /etc/ssl/certs" \
  "maillog_file = /dev/stdout" \
  "compatibility_level = 3.6"
# Debian has its services in a chroot, whose copy of resolv.conf nobody makes here: they would find no receiver.
postconf -F '*/*/chroot = n'
if [ "$MAIL_GOES_OUT" = yes ]; then
  postconf -X default_transport
else
  postconf -e "default_transport = discard:"
fi
exec postfix start-fg
