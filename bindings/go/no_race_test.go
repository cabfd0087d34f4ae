//go:build !race

package mlflowgateway

// mostGrowthKiB is how much the memory of the process may grow by the calls that are cancelled.
const mostGrowthKiB = 8 * 1024
