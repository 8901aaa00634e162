package spill

import "testing"

// I8: a file grows to its limit and not beyond.
func TestFileIsBounded(t *testing.T) {
	s, err := New(2, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, p := range []string{"a", "b", ""} {
		if _, err := s.Write([]byte(p)); err != nil {
			t.Error(err)
		}
	}
	if _, err := s.Write([]byte("c")); err != ErrFull {
		t.Errorf("a third byte: %v", err)
	}
}
