package apiserver

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

// A warning tells the client that its accepted request will not do what it probably expects. The
// response carries it in a Warning header, or in gRPC header metadata, in the form that Kubernetes
// uses (RFC 7234, section 5.5, code 299). The log has it, too.
const (
	warningHeader = "Warning"
	maxWarnings   = 8    // of a response
	maxWarning    = 1024 // bytes of a text
)

// logBurst is how many lines about requests of one kind are logged at once. After that there is one
// line per second, with the count of the rest.
const logBurst = 8

// A warner sends warnings to clients, and logs them. It is safe for concurrent use.
type warner struct{ warnings *lograte.Line }

func newWarner(log *slog.Logger) *warner {
	return &warner{lograte.NewFew(logBurst, func(ctx context.Context, level slog.Level, attrs ...slog.Attr) {
		log.LogAttrs(ctx, level, "a request was accepted that may not do what its author thinks", attrs...)
	})}
}

type warningKey struct{}

// withWarnings returns a context in which warn adds to the header of an HTTP response, until it is
// written. A gRPC call needs none.
func withWarnings(ctx context.Context, response http.Header) context.Context {
	return context.WithValue(ctx, warningKey{}, response)
}

// warn warns the client of the request with that context about a job. The goroutine that writes the
// response calls it before it writes.
func (w *warner) warn(ctx context.Context, target job.Target, name, text string) {
	value := formatWarning(text)
	if h, ok := ctx.Value(warningKey{}).(http.Header); !ok {
		_ = grpc.SetHeader(ctx, metadata.Pairs(warningHeader, value)) // the response is complete without it
	} else if len(h.Values(warningHeader)) < maxWarnings {
		h.Add(warningHeader, value)
	}
	key := job.Key{Target: target, Name: name}
	w.warnings.Warn(ctx, append(key.Attrs(), slog.String("warning", text))...)
}

// close logs the warnings that were held back.
func (w *warner) close(ctx context.Context) { w.warnings.Close(ctx) }

// formatWarning returns the value of a Warning header. It replaces what is not printable ASCII by a
// question mark: gRPC and HTTP/1.1 accept nothing else.
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
