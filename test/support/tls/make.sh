#!/bin/sh
# Makes the authorities and certificates of the tests anew (the keys of the authorities are thrown away).
set -eu
cd "$(dirname "$0")"
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.crt" -days 36500 \
    -subj "/CN=$1" -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign'
}
# certificate NAME AUTHORITY ALTERNATIVE-NAMES
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" \
    -addext "subjectAltName=$3"
  openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -out "$1.crt" -days 36500 -copy_extensions copy
  rm "$1.csr"
}
authority authority
authority stranger-authority
certificate gateway authority 'DNS:localhost,IP:127.0.0.1'
certificate renewed authority 'DNS:localhost,IP:127.0.0.1'
certificate shop authority 'DNS:shop.test,DNS:*.shop.test'
certificate client authority 'URI:spiffe://tollgate.test/ns/shop/sa/web,DNS:web.shop.test'
certificate stranger stranger-authority 'DNS:localhost,IP:127.0.0.1,URI:spiffe://tollgate.test/ns/shop/sa/web'
rm authority.key stranger-authority.key ./*.srl
