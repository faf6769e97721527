// Package managementv1 is the service carillon.v1.Management: what people and programs ask of a
// scheduler. Its messages, its gRPC service, its translation from HTTP and [OpenAPI] are generated
// by make proto from proto/carillon/v1, whose comments are the contract.
package managementv1
