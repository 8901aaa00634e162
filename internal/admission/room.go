package admission

import (
	"net/netip"
	"sync"
)

// A Room gives each client at most so many places at once, so that no client keeps all
// others out (I8). An IPv6 client is its /64. Clients without a network address are not
// counted. It is safe for concurrent use.
type Room struct {
	most  int
	mu    sync.Mutex
	taken map[netip.Prefix]int // by line
}

// NewRoom returns a room with so many places for each client.
func NewRoom(most int) *Room { return &Room{most: most, taken: make(map[netip.Prefix]int)} }

// Enter takes a place. The caller calls leave at least once. It returns ErrOverload.
func (r *Room) Enter(c Client) (leave func(), err error) {
	line := c.line()
	if !line.IsValid() {
		return func() {}, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken[line] >= r.most {
		return nil, ErrOverload
	}
	r.taken[line]++
	return sync.OnceFunc(func() { r.leave(line) }), nil
}

func (r *Room) leave(line netip.Prefix) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken[line]--; r.taken[line] == 0 {
		delete(r.taken, line)
	}
}
