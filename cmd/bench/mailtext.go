package main

import "regexp"

// codeKind is the first word of the Message-IDs of code mails.
const codeKind = "code"

var codePattern = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b`)

// codeIn is the code of a code mail, "" if it has none. Quoted-printable does not
// change codes.
func codeIn(mail []byte) string { return string(codePattern.Find(mail)) }
