package bench_test

import (
	"testing"
	"time"

	"carillon/internal/bench"
)

func TestPercentileIsAMeasuredValue(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, test := range []struct {
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{nil, 0.5, 0},
		{[]time.Duration{7}, 0, 7},
		{[]time.Duration{7}, 0.99, 7},
		{[]time.Duration{1, 2}, 0.5, 1},
		{[]time.Duration{1, 2, 3}, 0.5, 2},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 0.991, 100},
		{hundred, 1, 100},
	} {
		if got := bench.Percentile(test.values, test.p); got != test.want {
			t.Errorf("percentile %v of %d values = %d, want %d", test.p, len(test.values), got, test.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 9, 2}, 3}} {
		if got := bench.Median(test.values); got != test.want {
			t.Errorf("median of %v = %v, want %v", test.values, got, test.want)
		}
	}
}

func TestNumbersAreShort(t *testing.T) {
	for _, test := range []struct {
		value float64
		unit  string
		want  string
	}{
		{51_712.4, "/s", "51,712/s"},
		{0.6, "", "0.60"},
		{17.04, "µs", "17.0 µs"},
		{3, "ms", "3 ms"},
		{0.012, "ms", "0.012 ms"},
		{1_234_567, "", "1,234,567"},
		{99.9996, "%", "99.99 %"},
		{100, "%", "100 %"},
		{57.0 * 1024 * 1024, "B", "57 MiB"},
		{3 * 1024 * 1024 * 1024 * 1024, "B", "3,072 GiB"},
		{-1500, "", "-1,500"},
	} {
		if got := bench.Format(test.value, test.unit); got != test.want {
			t.Errorf("%v in %q reads %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}
