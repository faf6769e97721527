package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Table writes the report as a text table, with details below it.
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

// Markdown writes the report as a Markdown table, with details below it.
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

// cells returns the rows of the table, headings first.
func (r Report) cells() [][]string {
	all := [][]string{{"#", "measure", "value", "baseline", "ratio", "must", "aim", "verdict"}}
	for _, res := range r.Results {
		if res.Error != "" {
			all = append(all, []string{strconv.Itoa(res.Row), res.Measure, "not measured", "", "", "", "", string(res.Verdict)})
			continue
		}
		baseline, ratio, unit := "", "", res.Unit
		if res.Baseline != nil {
			baseline = res.Baseline.Name + " " + format(res.Baseline.Value, res.Unit)
			if ratio = format(res.Ratio, ""); !res.Threshold.Absolute {
				unit = ""
			}
		}
		value := format(res.Value, res.Unit)
		if res.Value == 0 {
			value = "unknown"
		}
		all = append(all, []string{
			strconv.Itoa(res.Row), res.Measure, value, baseline, ratio,
			res.Threshold.limit(res.Threshold.Must, unit), res.Threshold.limit(res.Threshold.Aim, unit), res.verdicts(),
		})
	}
	return all
}

// rest returns the lines below the table; those of the measures begin with mark.
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
	if r.Slowdown > 0 {
		fmt.Fprintf(&text, "\nSlowdown: a unary echo takes %s times the processor time that it takes on the reference machine.\n", format(r.Slowdown, ""))
	}
	fmt.Fprintf(&text, "\nMeasured: %s, %s sizes, %d callers over %d connections, %d bytes of data, in %s on %s.\nMachine: %v.\n",
		r.Server, r.Sizes.Name, r.Callers, r.Connections, r.Payload, format(r.Took, "s"), r.At.Format("2006-01-02"), r.Machine)
	return text.String()
}
