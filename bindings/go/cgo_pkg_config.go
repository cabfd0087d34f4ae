//go:build !mlflow_static && !mlflow_env

package mlflowgateway

// #cgo pkg-config: mlflow_ai_gateway
import "C"
