package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// readText reads a text that an operator wrote, of at most limit bytes: UTF-8, with or
// without a byte order mark. It refuses any other encoding and names the line: nobody
// proofreads a text once subscribers read it.
func readText(path string, limit int) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return "", err
	}
	if len(b) > limit {
		return "", fmt.Errorf("%s is longer than %d bytes: shorten it", path, limit)
	}
	if isUTF16(b) {
		return "", fmt.Errorf("%s is UTF-16: save it as UTF-8", path)
	}
	text := strings.TrimPrefix(string(b), "\ufeff")
	if err := checkText(path, text); err != nil {
		return "", err
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", fmt.Errorf("%s holds no text", path)
	}
	return text, nil
}

// isUTF16 knows the two byte order marks. It also knows a text in a European language
// without one: every other byte is zero.
func isUTF16(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) ||
		len(b) > 1 && bytes.Count(b, []byte{0}) > len(b)/3
}

func checkText(path, text string) error {
	at := 0
	for line := range strings.SplitSeq(text, "\n") {
		at++
		for i, r := range line {
			switch {
			case r == utf8.RuneError && strings.HasPrefix(line[i:], "\ufffd"):
				return fmt.Errorf("line %d of %s has lost a character (U+FFFD stands in its place): type it again", at, path)
			case r == utf8.RuneError:
				return fmt.Errorf("line %d of %s is not UTF-8 (byte 0x%02X; Windows-1252 perhaps): save it as UTF-8", at, path, line[i])
			case unicode.IsControl(r) && r != '\t' && r != '\r':
				return fmt.Errorf("line %d of %s holds a control character (U+%04X): take it out", at, path, r)
			}
		}
	}
	return nil
}
