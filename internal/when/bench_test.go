package when_test

import (
	"testing"
	"time"

	"carillon/internal/when"
)

func BenchmarkParseRule(b *testing.B) {
	for _, schedule := range []string{
		"@every 1m30s",
		"@daily",
		"0 0 9 * * *",
		"*/15 0-30/5,45 9-17 1,15 jan-jun mon-fri",
		"TZ=Europe/Berlin 0 0 9 * * *",
		"TZ=No/Where 0 0 9 * * *",
	} {
		b.Run(schedule, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = when.ParseRule(schedule)
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	for _, c := range []struct{ name, schedule, after string }{
		{"interval", "@every 1m30s", "2024-05-06T07:08:09Z"},
		{"second", "* * * * * *", "2024-05-06T07:08:09Z"},
		{"day", "0 0 9 * * *", "2024-05-06T07:08:09Z"},
		{"month", "0 0 9 1 * *", "2024-05-06T07:08:09Z"},
		{"eight years", "0 0 9 29 2 *", "2096-05-06T07:08:09Z"},
		{"zone/second", "TZ=Europe/Berlin * * * * * *", "2024-05-06T07:08:09Z"},
		{"zone/day", "TZ=Europe/Berlin 0 0 9 * * *", "2024-05-06T07:08:09Z"},
		{"zone/month", "TZ=Europe/Berlin 0 0 9 1 * *", "2024-05-06T07:08:09Z"},
		{"zone/eight years", "TZ=Europe/Berlin 0 0 9 29 2 *", "2096-05-06T07:08:09Z"},
	} {
		rule, err := when.ParseRule(c.schedule)
		if err != nil {
			b.Fatal(err)
		}
		after, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := rule.Next(after); !ok {
					b.Fatalf("%s has no instant after %s", c.schedule, c.after)
				}
			}
		})
	}
}
