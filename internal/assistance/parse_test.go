package assistance

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// D14: the forms of hours, and their canonical form.
func TestParse(t *testing.T) {
	for s, want := range map[string]string{
		"Mon-Fri 08:00-19:30":                                   "Mon-Fri 08:00-19:30",
		"Mon-Fri 08:00-19:30, Sat 09:00-12:00":                  "Mon-Fri 08:00-19:30, Sat 09:00-12:00",
		"Sat 09:00-12:00;Mon-Fri 08:00-19:30":                   "Mon-Fri 08:00-19:30, Sat 09:00-12:00",
		" mon-FRI\t8:00-12:00  13:30-19:30 ":                    "Mon-Fri 08:00-12:00 13:30-19:30",
		"Mon-Fri 13:30-19:30, Mon-Fri 08:00-12:00":              "Mon-Fri 08:00-12:00 13:30-19:30",
		"Mon-Fri 08:00-12:00, Wed 12:00-14:00":                  "Mon-Tue 08:00-12:00, Wed 08:00-14:00, Thu-Fri 08:00-12:00",
		"Mon 10:00-12:00 08:00-10:00 12:00-14:00":               "Mon 08:00-14:00",
		"Mon 08:00-09:00, Wed 08:00-09:00":                      "Mon 08:00-09:00, Wed 08:00-09:00",
		"Mon-Sun 00:00-24:00":                                   "Mon-Sun 00:00-24:00",
		"Sun-Sun 23:59-24:00":                                   "Sun 23:59-24:00",
		"Mon 08:00-09:00 10:00-11:00 12:00-13:00":               "Mon 08:00-09:00 10:00-11:00 12:00-13:00",
		"Mon 08:00-18:00, Tue-Thu 08:00-18:00, Fri 08:00-18:00": "Mon-Fri 08:00-18:00",
	} {
		if h, err := Parse(s); err != nil || h.String() != want {
			t.Errorf("%q: %q, %v, want %q", s, h, err, want)
		}
	}
	if got := (Hours{}).String(); got != "" {
		t.Errorf("the zero value: %q", got)
	}
}

// D14: the texts that are refused, and the errors.
func TestParseRefuses(t *testing.T) {
	for s, want := range map[string]string{
		"":                                     `part 1 is empty, want days and hours as in Mon-Fri 08:00-19:30`,
		"Mon 08:00-09:00, ":                    `part 2 is empty, want days and hours as in Mon-Fri 08:00-19:30`,
		"Mon-Fri":                              `"Mon-Fri": want days and hours as in Mon-Fri 08:00-19:30`,
		"08:00-19:30":                          `"08:00-19:30": want days and hours as in Mon-Fri 08:00-19:30`,
		"Mon-Fri 8h-19h":                       `"Mon-Fri 8h-19h": "8h" is no time of day, want one from 00:00 to 24:00`,
		"Mon-Fri 08:00":                        `"Mon-Fri 08:00": "08:00" are no hours, want some as 08:00-19:30`,
		"Mon-Fri 08:00 - 19:30":                `"Mon-Fri 08:00 - 19:30": "08:00" are no hours, want some as 08:00-19:30`,
		"lun-ven 08:00-19:30":                  `"lun-ven 08:00-19:30": "lun" is no day, want one of Mon Tue Wed Thu Fri Sat Sun`,
		"Mon-Tue-Wed 08:00-19:30":              `"Mon-Tue-Wed 08:00-19:30": "Tue-Wed" is no day, want one of Mon Tue Wed Thu Fri Sat Sun`,
		"Mon 08:00-12:00, Fri-Mon 13:00-14:00": `"Fri-Mon 13:00-14:00": Mon is earlier in the week than Fri`,
		"Mon 19:30-08:00":                      `"Mon 19:30-08:00": 19:30-08:00 does not end after its start`,
		"Mon 08:00-08:00":                      `"Mon 08:00-08:00": 08:00-08:00 does not end after its start`,
		"Mon 24:00-24:00":                      `"Mon 24:00-24:00": 24:00-24:00 does not end after its start`,
		"Mon 08:00-24:01":                      `"Mon 08:00-24:01": "24:01" is no time of day, want one from 00:00 to 24:00`,
		"Mon 08:60-09:00":                      `"Mon 08:60-09:00": "08:60" is no time of day, want one from 00:00 to 24:00`,
		"Mon 08:00-12:00 11:59-13:00":          `"Mon 08:00-12:00 11:59-13:00": 11:59-13:00 overlaps 08:00-12:00 on Mon`,
		"Mon-Fri 08:00-12:00, Wed-Sun 07:00-08:01": `"Wed-Sun 07:00-08:01": 07:00-08:01 overlaps 08:00-12:00 on Wed`,
		"Mon 08:00-12:00, Mon 09:00-10:00":         `"Mon 09:00-10:00": 09:00-10:00 overlaps 08:00-12:00 on Mon`,
		"Mon 09:00-10:00, Mon 08:00-12:00":         `"Mon 08:00-12:00": 08:00-12:00 overlaps 09:00-10:00 on Mon`,
	} {
		if h, err := Parse(s); err == nil || err.Error() != want {
			t.Errorf("%q: %q, %v, want %s", s, h, err, want)
		} else if !reflect.DeepEqual(h, Hours{}) {
			t.Errorf("%q: an error, and %q", s, h)
		}
	}
}

// D14: the text of hours is read as the same hours, and they are the minutes that were written.
func TestParseString(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, text := drawHours(t)
		h := hours(t, text)
		if again := hours(t, h.String()); !reflect.DeepEqual(again, h) {
			t.Fatalf("%q is told as %q and read as %q", text, h, again)
		}
		for d := range m {
			var got [24 * 60]bool
			for _, s := range h.week[d] {
				for n := s.start.Minutes(); n < s.end.Minutes(); n++ {
					got[int(n)] = true
				}
			}
			if got != m[d] {
				t.Fatalf("%q: other minutes on %s: %q", text, weekdays[d], h)
			}
		}
	})
}

// D14: any text is refused or has a canonical form, in order and without overlap.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", usual, "Mon-Fri 08:00-12:00 13:30-19:30; Sat 9:00-24:00", "Fri-Mon 08:00-09:00", "Mon 08:00-10:00,Mon 09:00-11:00", "sun 00:00-24:00,", "Mon 8:0-9:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(h.String())
		if err != nil || again.String() != h.String() || !reflect.DeepEqual(again, h) {
			t.Fatalf("%q is told as %q and read as %q, %v", s, h, again, err)
		}
		for d, spans := range h.week {
			end := -day
			for _, one := range spans {
				if one.start < 0 || one.start <= end || one.end <= one.start || one.end > day {
					t.Fatalf("%q: %s has %s", s, weekdays[d], h)
				}
				end = one.end
			}
		}
	})
}
