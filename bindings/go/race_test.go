//go:build race

package mlflowgateway

// mostGrowthKiB is how much the memory of the process may grow by the calls that are cancelled. The race detector keeps
// a history of each goroutine.
const mostGrowthKiB = 64 * 1024
