package sidecar

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"carillon/internal/job"
	"carillon/internal/lograte"
)

// A warning tells whose request is accepted that it will not do what its author is likely to think. The response carries
// it in a Warning header, over gRPC in its header metadata, in the form that Kubernetes uses (RFC 7234, section 5.5, with
// code 299); and the log has a line.

const (
	warningHeader = "Warning"
	maxWarnings   = 8    // of a response
	maxWarning    = 1024 // bytes of a text
)

// maxLines is how many lines about what clients ask for are logged at once, and then one a second with the count of the rest.
const maxLines = 8

func newWarnings(log *slog.Logger) *lograte.Line {
	return lograte.NewFew(maxLines, func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
		log.LogAttrs(ctx, level, "a request was accepted that may not do what its author thinks", attrs...)
	})
}

type warningKey struct{}

// withWarnings returns a context in which warn adds to the header of an HTTP response, until that is written. A call of
// the gRPC API needs none.
func withWarnings(ctx context.Context, response http.Header) context.Context {
	return context.WithValue(ctx, warningKey{}, response)
}

// warn warns the caller whose request ctx is, and says in the log which job it is about. It is called before the response
// is written, from the goroutine that writes it.
func (s *Sidecar) warn(ctx context.Context, target job.Target, name, text string) {
	value := formatWarning(text)
	if h, ok := ctx.Value(warningKey{}).(http.Header); !ok {
		_ = grpc.SetHeader(ctx, metadata.Pairs(warningHeader, value)) // the response is no worse without it
	} else if len(h.Values(warningHeader)) < maxWarnings {
		h.Add(warningHeader, value)
	}
	s.warnings.Warn(ctx, append(job.Key{Target: target, Name: name}.Attrs(), slog.String("warning", text))...)
}

// formatWarning returns the value of a header that says text: what is not printable ASCII becomes a question mark, which
// gRPC and HTTP/1.1 take.
func formatWarning(text string) string {
	var b strings.Builder
	b.WriteString(`299 - "`)
	for _, r := range text[:min(len(text), maxWarning)] {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
		case r < ' ' || r > '~':
			r = '?'
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
	return b.String()
}
