// Package devenv starts the services that bascule needs on one machine, for `bascule
// demo` and for tests. These are a private PostgreSQL cluster run by the machine's own
// programs, a Redis, and an inbox that takes every mail and shows it.
//
// No service outlives the process that started it, however that process ends: on Linux
// the kernel stops the servers when their parent dies.
package devenv
