package admission

import (
	"context"
	"sync"
)

// keyQueue is how many callers may wait for one key.
const keyQueue = 32

// A KeyedMutex lets one caller at a time work on each key, in this process: a flood
// of forms for one request takes one hashing slot. Between processes the database
// decides. The zero KeyedMutex is ready for use.
type KeyedMutex[K comparable] struct {
	mu   sync.Mutex
	keys map[K]*keyLock
}

type keyLock struct {
	*Semaphore
	users int // callers that hold it or wait for it
}

// Lock waits for the key, two seconds at the most, among at most 32 callers. waited
// tells whether it had to: values read before may have changed then. The caller calls
// unlock once. It returns ErrOverload, or ctx's error.
func (m *KeyedMutex[K]) Lock(ctx context.Context, key K) (unlock func(), waited bool, err error) {
	l := m.join(key)
	if !l.tryAcquire() {
		waited = true
		err = l.wait(ctx)
	}
	if err != nil {
		m.leave(key)
		return nil, true, err
	}
	return func() { <-l.slots; m.leave(key) }, waited, nil
}

func (m *KeyedMutex[K]) join(key K) *keyLock {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys == nil {
		m.keys = make(map[K]*keyLock)
	}
	if m.keys[key] == nil {
		m.keys[key] = &keyLock{Semaphore: NewSemaphore(1, keyQueue)}
	}
	m.keys[key].users++
	return m.keys[key]
}

func (m *KeyedMutex[K]) leave(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys[key].users--; m.keys[key].users == 0 {
		delete(m.keys, key)
	}
}
