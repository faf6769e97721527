// Package output prints lists, and single things, for people and for programs. On a terminal a
// table has aligned columns and relative times. In a pipe its columns are separated by tabs, it has
// no header, and its times are in RFC 3339. JSON and YAML have all fields. A list without elements
// is printed as such: it is no error.
package output

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"carillon/internal/flagvalue"
)

// Format is the format of a list, as a flag gives it.
type Format string

// Formats.
const (
	Table Format = "table" // for people
	Wide  Format = "wide"  // with all columns, and times in UTC
	JSON  Format = "json"
	YAML  Format = "yaml"
	CSV   Format = "csv"  // with all columns, and a header
	Name  Format = "name" // a name a line
)

func formats() []string {
	return []string{string(Table), string(Wide), string(JSON), string(YAML), string(CSV), string(Name)}
}

// AddFlag adds the flag --output to c, which sets f.
func AddFlag(c *cobra.Command, f *Format) {
	*f = Table
	c.Flags().VarP(f, "output", "o", "output `format`: table, wide, json, yaml, csv or name")
	if err := c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats(), cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag exists, and has no other completion
	}
}

// AddSomeFlag adds the flag --output to c, which sets f to one of some formats. The first is the
// default.
func AddSomeFlag(c *cobra.Command, f *Format, some ...Format) {
	var words []string
	for _, one := range some {
		words = append(words, string(one))
	}
	usage := fmt.Sprintf("output `format`: %s or %s", strings.Join(words[:len(words)-1], ", "), words[len(words)-1])
	c.Flags().VarP(flagvalue.NewChoice((*string)(f), words...), "output", "o", usage)
	if err := c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag exists, and has no other completion
	}
}

// Separator returns what stands between two documents of a format in one stream. JSON needs
// nothing.
func Separator(format string) string {
	switch format {
	case string(JSON):
		return ""
	case string(YAML):
		return "---\n"
	default:
		return "\n"
	}
}

func (f *Format) String() string { return string(*f) }

// Set sets f to value, if that is a format.
func (f *Format) Set(value string) error {
	if all := formats(); !slices.Contains(all, value) {
		return fmt.Errorf("it must be %s or %s", strings.Join(all[:len(all)-1], ", "), all[len(all)-1])
	}
	*f = Format(value)
	return nil
}

// Type is the placeholder of the value in help.
func (*Format) Type() string { return "format" }
