// Package simulation plays whole campaigns on the real code, in virtual time. They last
// months. Subscribers read, forget, mistype, move and complain; relays refuse;
// administrators pause, correct and cancel. It holds no code but tests.
//
// It judges everything that a subscriber or an administrator could see as it happens,
// by what each of them knows: which code must be good, and who must get no mail. In the
// end it balances the books. All chance follows from a seed.
//
//   - agenda: the future events
//   - simulation: the run, and its clock
//   - office: the pages, a worker taken apart, and a whole one
//   - work: the looks of the workers
//   - relay: the SMTP server, and its answers
//   - script: the work of the administrators
//   - subscriber, visit: the model of a subscriber
//   - post: the rules of each mail
//   - forecast: the plan against the run
//   - ledger: the balance in the end
package simulation
