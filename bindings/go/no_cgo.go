//go:build !cgo

package mlflowgateway

var _ = the_package_mlflowgateway_needs_cgo_set_CGO_ENABLED_to_1_and_install_a_C_compiler
