// Command bascule moves professional subscriber spaces from client-certificate
// login to e-mail address and password.
package main

import "os"

func main() { os.Exit(Main()) }
