package output

import (
	"io"
	"strings"
	"unicode/utf8"
)

// table is a table of texts.
type table struct {
	header     []string
	rows       [][]string
	alignRight []bool // by column
}

// printTabs writes the rows with tabs between the columns.
func (t *table) printTabs(out io.Writer) error {
	var b strings.Builder
	for _, row := range t.rows {
		b.WriteString(strings.Join(row, "\t"))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// printColumns writes header and rows with aligned columns. It cuts the last column where a line would be
// wider than width, unless that is 0.
func (t *table) printColumns(out io.Writer, width int, color bool) error {
	widths := make([]int, len(t.header))
	for _, row := range append(t.rows, t.header) {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text), 1) // "-" for no text
		}
	}
	if width > 0 {
		t.fit(widths, width)
	}
	var b strings.Builder
	if color {
		b.WriteString("\x1b[1m")
	}
	t.printRow(&b, t.header, widths)
	if color {
		b.WriteString("\x1b[0m")
	}
	b.WriteByte('\n')
	for _, row := range t.rows {
		t.printRow(&b, row, widths)
		b.WriteByte('\n')
	}
	_, err := io.WriteString(out, b.String())
	return err
}

const gap = 2 // columns between two columns of a table

// fit narrows the last column so that a line has the width, and leaves it some columns.
func (t *table) fit(widths []int, width int) {
	const least = 10
	last := len(widths) - 1
	for _, w := range widths[:last] {
		width -= w + gap
	}
	widths[last] = min(widths[last], max(width, least))
}

// printRow writes a row without its end.
func (t *table) printRow(b *strings.Builder, row []string, widths []int) {
	for i, text := range row {
		if text == "" {
			text = "-"
		}
		text = cut(text, widths[i])
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text))
		last := i == len(row)-1
		switch {
		case t.alignRight[i]:
			text = pad + text
		case !last:
			text += pad
		}
		b.WriteString(text)
		if !last {
			b.WriteString(strings.Repeat(" ", gap))
		}
	}
}

// cut shortens text to width runes, the last of which is an ellipsis.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
