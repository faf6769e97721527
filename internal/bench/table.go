package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Table writes the report for people: a table, and then what it leaves out.
func (r Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, cells := range r.cells() {
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n"+r.rest("  "))
	return err
}

// Markdown writes the same for a document.
func (r Report) Markdown(w io.Writer) error {
	var text strings.Builder
	for i, cells := range r.cells() {
		fmt.Fprintf(&text, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			text.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
		}
	}
	_, err := io.WriteString(w, text.String()+"\n"+r.rest("- "))
	return err
}

// cells returns the table, with its headings.
func (r Report) cells() [][]string {
	all := [][]string{{"#", "measure", "value", "null", "ratio", "must", "aim", "verdict"}}
	for _, res := range r.Results {
		if res.Error != "" {
			all = append(all, []string{strconv.Itoa(res.Row), res.Measure, "not measured", "", "", "", "", string(res.Verdict)})
			continue
		}
		null, ratio, unit := "", "", res.Unit
		if res.Null != nil {
			null = res.Null.Name + " " + format(res.Null.Value, res.Unit)
			if ratio = format(res.Ratio, ""); !res.Bar.OfValue {
				unit = ""
			}
		}
		value := format(res.Value, res.Unit)
		if res.Value == 0 {
			value = "unknown"
		}
		all = append(all, []string{
			strconv.Itoa(res.Row), res.Measure, value, null, ratio,
			res.Bar.limit(res.Bar.Must, unit), res.Bar.limit(res.Bar.Aim, unit), res.verdicts(),
		})
	}
	return all
}

// verdicts returns the verdict, and after it the one at the machine's pace if that is another.
func (r RowResult) verdicts() string {
	if r.AtPace == "" || r.AtPace == r.Verdict {
		return string(r.Verdict)
	}
	return string(r.Verdict) + "; at this pace " + string(r.AtPace)
}

// limit returns one side of b for people.
func (b Bar) limit(value float64, unit string) string {
	switch {
	case b == Bar{}:
		return ""
	case b.Less:
		return "≤ " + format(value, unit)
	default:
		return "≥ " + format(value, unit)
	}
}

// rest returns what stands below the table, each line after the mark.
func (r Report) rest(mark string) string {
	var text strings.Builder
	for _, res := range r.Results {
		var parts []string
		for _, f := range res.Detail {
			parts = append(parts, f.Name+" "+format(f.Value, f.Unit))
		}
		parts = append(parts, res.Notes...)
		if res.Count != nil {
			parts = append(parts, fmt.Sprintf("counted %s of %s", format(float64(res.Count.Distinct), ""), format(float64(res.Count.Want), "")))
		}
		if len(parts) > 0 {
			fmt.Fprintf(&text, "%s%d %s: %s\n", mark, res.Row, res.Measure, strings.Join(parts, "; "))
		}
	}
	if r.Pace > 0 {
		fmt.Fprintf(&text, "\nPace: a unary echo takes %s times the processor time here that it takes on the machine that the bars are from.\n", format(r.Pace, ""))
	}
	fmt.Fprintf(&text, "\nMeasured: %s, %s sizes, %d callers over %d connections, %d bytes of data, in %s on %s.\nMachine: %v.\n",
		r.Server, r.Sizes.Name, r.Callers, r.Connections, r.Payload, format(r.Took, "s"), r.At.Format("2006-01-02"), r.Machine)
	return text.String()
}

// format returns a value with its unit: three digits, with commas between thousands.
func format(value float64, unit string) string {
	switch unit {
	case "B":
		for _, prefix := range []string{"B", "KiB", "MiB", "GiB"} {
			if value < 1024 || prefix == "GiB" {
				return digits(value) + " " + prefix
			}
			value /= 1024
		}
	case "%":
		return strconv.FormatFloat(math.Floor(value*100)/100, 'f', -1, 64) + " %" // 100 is all
	case "", "/s":
		return digits(value) + unit
	}
	return digits(value) + " " + unit
}

// digits returns value with three significant digits, or as a whole number.
func digits(value float64) string {
	switch {
	case value < 0:
		return "-" + digits(-value)
	case value == float64(int64(value)) || value >= 100:
		return thousands(int64(value + 0.5))
	case value >= 10:
		return strconv.FormatFloat(value, 'f', 1, 64)
	case value >= 0.1:
		return strconv.FormatFloat(value, 'f', 2, 64)
	default:
		return strconv.FormatFloat(value, 'g', 2, 64)
	}
}

func thousands(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
