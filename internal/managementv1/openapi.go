package managementv1

import _ "embed"

// OpenAPI is the OpenAPI document of the service, in JSON. Callers must not modify it.
//
//go:embed openapi.json
var OpenAPI []byte
