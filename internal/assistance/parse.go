package assistance

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const day = 24 * time.Hour

// weekdays are the names of the days, in the order of Hours.week.
var weekdays = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

// Parse reads hours such as "Mon-Fri 08:00-12:30 13:30-19:30, Sat 09:00-12:00" (D14).
// Commas or semicolons separate parts. A part is a day, or the first and the last of
// several, and then one span or more. A day may be in several parts. A span ends later
// than it starts, at 24:00 at the latest, and overlaps no other of its day. The error
// names the part that is wrong.
func Parse(s string) (Hours, error) {
	var h Hours
	for i, part := range strings.Split(strings.ReplaceAll(s, ";", ","), ",") {
		if part = strings.TrimSpace(part); part == "" {
			return Hours{}, fmt.Errorf("part %d is empty, want days and hours as in Mon-Fri 08:00-19:30", i+1)
		}
		if err := h.add(part); err != nil {
			return Hours{}, fmt.Errorf("%q: %w", part, err)
		}
	}
	return h, nil
}

// String returns the hours as Parse reads them: days from Monday, neighbours with the
// same hours as one part, spans that touch as one. The same hours have the same text.
// The text of the zero value is empty.
func (h Hours) String() string {
	var parts []string
	for first, last := 0, 0; first < len(h.week); first = last + 1 {
		for last = first; last+1 < len(h.week) && slices.Equal(h.week[last+1], h.week[first]); {
			last++
		}
		if len(h.week[first]) == 0 {
			continue
		}
		part := weekdays[first]
		if last > first {
			part += "-" + weekdays[last]
		}
		for _, s := range h.week[first] {
			part += " " + s.String()
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func (h *Hours) add(part string) error {
	words := strings.Fields(part)
	if len(words) < 2 {
		return errors.New("want days and hours as in Mon-Fri 08:00-19:30")
	}
	first, last, err := parseDays(words[0])
	if err != nil {
		return err
	}
	for _, word := range words[1:] {
		s, err := parseSpan(word)
		if err != nil {
			return err
		}
		for d := first; d <= last; d++ {
			if h.week[d], err = insert(h.week[d], s); err != nil {
				return fmt.Errorf("%w on %s", err, weekdays[d])
			}
		}
	}
	return nil
}

func parseDays(word string) (first, last int, err error) {
	from, to, several := strings.Cut(word, "-")
	if first, err = parseDay(from); err != nil || !several {
		return first, first, err
	}
	if last, err = parseDay(to); err == nil && last < first {
		err = fmt.Errorf("%s is earlier in the week than %s", to, from)
	}
	return first, last, err
}

func parseDay(name string) (int, error) {
	d := slices.IndexFunc(weekdays, func(known string) bool { return strings.EqualFold(known, name) })
	if d < 0 {
		return 0, fmt.Errorf("%q is no day, want one of %s", name, strings.Join(weekdays, " "))
	}
	return d, nil
}

func parseSpan(word string) (s span, err error) {
	from, to, ok := strings.Cut(word, "-")
	if !ok {
		return span{}, fmt.Errorf("%q are no hours, want some as 08:00-19:30", word)
	}
	if s.start, err = parseTime(from); err != nil {
		return span{}, err
	}
	if s.end, err = parseTime(to); err != nil {
		return span{}, err
	}
	if s.end <= s.start {
		return span{}, fmt.Errorf("%s does not end after its start", s)
	}
	return s, nil
}

// parseTime returns a time of day as the time on the clock since midnight.
func parseTime(word string) (time.Duration, error) {
	if word == "24:00" {
		return day, nil
	}
	t, err := time.Parse("15:04", word)
	if err != nil {
		return 0, fmt.Errorf("%q is no time of day, want one from 00:00 to 24:00", word)
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}

// insert adds a span to the spans of a day, and joins spans that touch.
func insert(spans []span, added span) ([]span, error) {
	for _, s := range spans {
		if added.start < s.end && s.start < added.end {
			return nil, fmt.Errorf("%s overlaps %s", added, s)
		}
	}
	spans = append(spans, added)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	joined := spans[:0]
	for _, s := range spans {
		if n := len(joined); n > 0 && joined[n-1].end == s.start {
			joined[n-1].end = s.end
		} else {
			joined = append(joined, s)
		}
	}
	return joined, nil
}

func (s span) String() string { return clock(s.start) + "-" + clock(s.end) }

func clock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", d/time.Hour, d%time.Hour/time.Minute)
}
