package wire

import "google.golang.org/grpc/codes"

// helpCode returns what to do about a code of a scheduler whose text does not say it.
func helpCode(code codes.Code) string {
	switch code {
	case codes.Unauthenticated:
		return "the scheduler asks for a certificate: start this sidecar with --enable-mtls"
	case codes.PermissionDenied:
		return "by its certificate, this sidecar is that of another app or namespace: correct --app-id or NAMESPACE, or give it its own certificate"
	case codes.DeadlineExceeded:
		return "the scheduler has not answered in time, and may have carried it out: look before you try again, and into its log and health"
	case codes.Unimplemented:
		return "the scheduler does not know this call: use a newer one"
	default:
		return ""
	}
}
