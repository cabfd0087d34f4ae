//go:build mlflow_static && !mlflow_env

package mlflowgateway

// The archive comes first and defines everything, so the linker leaves the shared library out that pkg-config names.

// #cgo LDFLAGS: -Wl,--as-needed -l:libmlflow_ai_gateway.a
// #cgo pkg-config: --static mlflow_ai_gateway
import "C"
