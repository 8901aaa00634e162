// Package simulation plays whole campaigns on the real code, in virtual time: months of
// subscribers who read, forget, mistype, move and complain, of relays that refuse, and of
// administrators who pause, correct and cancel. It holds no code but tests.
//
// Everything that a subscriber or an administrator could see is judged as it happens, by
// what each of them knows: which code must be good, and who must get no mail. In the
// end the books are balanced. All chance follows from a seed.
//
//   - agenda: what happens when
//   - simulation: the run, and its clock
//   - office: the pages, a worker taken apart, and a whole one
//   - work: when the workers look, and at what
//   - relay: the SMTP server, and what it answers
//   - script: what the administrators do
//   - subscriber, visit: the model of a subscriber
//   - post: what each mail must fulfil
//   - forecast: the plan against the run
//   - ledger: what must hold in the end
package simulation
