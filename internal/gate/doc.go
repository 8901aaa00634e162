// Package gate has no code of its own: its tests are about the tree. They keep
// the import graph, the doors to libraries, and the list of rules with the tests
// that prove them.
package gate
