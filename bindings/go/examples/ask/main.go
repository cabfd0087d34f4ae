// Ask sends one prompt to an MLflow AI gateway and prints the completion.
//
// Only the completion is written to standard output. Ctrl-C cancels the call. The exit status shows why it failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	mlflowgateway "mlflow-ai-gateway/bindings/go"
)

const usage = `usage: ask [-u URI] [-r ROUTE] [-t TEMPERATURE] [-m MAX_TOKENS] [-s STOP]... PROMPT

Send a prompt to an MLflow AI gateway and print the completion.

  -u URI          gateway URI; default: $MLFLOW_GATEWAY_URI,
                  $MLFLOW_DEPLOYMENTS_TARGET or $MLFLOW_TRACKING_URI
  -r ROUTE        route (endpoint); default: completions
  -t TEMPERATURE  sampling temperature, for example 0.7
  -m MAX_TOKENS   maximum length of the completion, in tokens
  -s STOP         stop sequence; may be repeated
  PROMPT          the prompt, or - to read it from standard input

exit status: 0 success, 1 output error, 2 usage error, 3 connection failed or
timed out, 4 refused by the gateway or the model provider, 5 invalid response,
6 internal error
`

// The exit statuses.
const (
	outputError = iota + 1
	usageError
	transport
	refused
	badResponse
	internal
)

type stops []string

func (s *stops) String() string { return strings.Join(*s, ", ") }

func (s *stops) Set(stop string) error {
	*s = append(*s, stop)
	return nil
}

func main() {
	flags := flag.NewFlagSet("ask", flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	uri := flags.String("u", "", "")
	route := flags.String("r", "completions", "")
	temperature := flags.Float64("t", 0, "")
	maxTokens := flags.Int("m", 0, "")
	var stop stops
	flags.Var(&stop, "s", "")
	_ = flags.Parse(os.Args[1:]) // It ends the program on an error.
	if flags.NArg() != 1 {
		flags.Usage()
		os.Exit(usageError)
	}

	var options []mlflowgateway.Option
	flags.Visit(func(set *flag.Flag) {
		switch set.Name {
		case "t":
			options = append(options, mlflowgateway.WithParam("temperature", *temperature))
		case "m":
			options = append(options, mlflowgateway.WithParam("max_tokens", *maxTokens))
		case "s":
			options = append(options, mlflowgateway.WithParam("stop", []string(stop)))
		}
	})
	text, err := ask(*route, *uri, flags.Arg(0), options)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ask:", err)
		os.Exit(exitStatus(err))
	}
	if _, err := fmt.Println(text); err != nil {
		fmt.Fprintln(os.Stderr, "ask: cannot write to standard output:", err)
		os.Exit(outputError)
	}
}

func ask(route, uri, prompt string, options []mlflowgateway.Option) (string, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if prompt == "-" {
		input, err := io.ReadAll(os.Stdin)
		if err != nil {
			return "", err
		}
		prompt = string(input)
	}
	client, err := mlflowgateway.New(route, uri, options...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	return client.Complete(ctx, prompt)
}

func exitStatus(err error) int {
	var failure *mlflowgateway.Error
	switch {
	case !errors.As(err, &failure), failure.Status >= 80:
		return internal
	case failure.Status < 20:
		return usageError
	case failure.Status < 40:
		return transport
	case failure.Status < 60:
		return refused
	default:
		return badResponse
	}
}
