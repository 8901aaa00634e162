package admission

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// I8: one caller at a time for each key; nothing is kept of a key that nobody has.
func TestKeyedMutex(t *testing.T) { synctest.Test(t, testKeyedMutex) }

func testKeyedMutex(t *testing.T) {
	var all KeyedMutex[int64]
	end, waited, err := all.Lock(t.Context(), 1)
	if err != nil || waited {
		t.Fatalf("first: waited %t, %v", waited, err)
	}
	other, waited, err := all.Lock(t.Context(), 2)
	if err != nil || waited {
		t.Fatalf("another key: waited %t, %v", waited, err)
	}
	other()
	var inside, most int
	var group sync.WaitGroup
	for range keyQueue {
		group.Go(func() {
			end, waited, err := all.Lock(t.Context(), 1)
			if err != nil || !waited {
				t.Errorf("waited %t, %v", waited, err)
				return
			}
			inside++ // guarded by the key
			most = max(most, inside)
			inside--
			end()
		})
	}
	synctest.Wait() // until all of them wait
	end()
	group.Wait()
	if most != 1 || len(all.keys) != 0 {
		t.Errorf("%d at a time, %d keys left over", most, len(all.keys))
	}

	if end, _, err = all.Lock(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for range keyQueue + 1 { // one finds the queue full, the others lose patience
		group.Go(func() {
			if _, _, err := all.Lock(t.Context(), 1); !errors.Is(err, ErrOverload) {
				t.Errorf("error %v, want %v", err, ErrOverload)
			}
		})
	}
	group.Wait()
	end()
	if len(all.keys) != 0 {
		t.Errorf("%d keys left over by those who gave up", len(all.keys))
	}
}
