package main

import "regexp"

// codeKind is what the Message-IDs of code mails begin with.
const codeKind = "code"

var codePattern = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b`)

// codeIn is the code of a code mail, "" if it has none. Quoted-printable leaves
// codes as they are.
func codeIn(mail []byte) string { return string(codePattern.Find(mail)) }
