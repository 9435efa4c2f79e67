// The official Go client, used the way its documentation shows: one function per area, each a small example to copy.
//
// It expects an etcd of its own, without data, at ETCD_ENDPOINT (127.0.0.1:2379 by default), and leaves keys behind.
// Every area prints one line: `ok kv`, `FAIL lease: why`, `not built auth: what the server said`, or
// `skip stream: why` where the server is too old for it. The exit code is 1 if an area failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// patience is how long one area may take; a test that waits longer than this has failed.
const patience = 30 * time.Second

var areas = []struct {
	name string
	run  func(context.Context, *clientv3.Client)
}{
	{"kv", kv},
	{"range", ranges},
	{"txn", txn},
	{"delete", deletes},
	{"stream", stream},
	{"watch", watch},
	{"progress", progress},
	{"lease", lease},
	{"lock", mutex},
	{"election", election},
	{"stm", stm},
	{"recipes", queues},
	{"namespace", namespaces},
	{"ordering", inOrder},
	{"leasing", leased},
	{"naming", names},
	{"mirror", mirrored},
	{"kubernetes", kubernetesView},
	{"members", members},
	{"member change", memberChange},
	{"status", serverStatus},
	{"alarms", alarms},
	{"hash", hash},
	{"defragment", defragment},
	{"snapshot", snapshot},
	{"compaction", compaction},
	{"auth", auth}, // last: for a while nobody else may do anything
}

func main() {
	client, err := connect(clientv3.Config{})
	if err != nil {
		fmt.Println("FAIL connect:", err)
		os.Exit(1)
	}
	defer client.Close()

	failed := false
	for _, area := range areas {
		err := attempt(area.run, client)
		var skipped skip
		switch {
		case err == nil:
			fmt.Println("ok", area.name)
		case errors.As(err, &skipped):
			fmt.Printf("skip %s: %s\n", area.name, skipped)
		case isNotBuilt(err):
			fmt.Printf("not built %s: %s\n", area.name, status.Convert(err).Message())
		default:
			fmt.Printf("FAIL %s: %v\n", area.name, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// connect makes a client for the server under test; config may add to it (a user's name, for instance).
func connect(config clientv3.Config) (*clientv3.Client, error) {
	endpoint := os.Getenv("ETCD_ENDPOINT")
	if endpoint == "" {
		endpoint = "127.0.0.1:2379"
	}
	config.Endpoints = []string{endpoint}
	config.DialTimeout = 5 * time.Second
	// The client would log every refused call; the areas judge those themselves.
	config.Logger = zap.NewNop()
	return clientv3.New(config)
}

// skip says why a server cannot be asked for an area.
type skip string

func (s skip) Error() string { return string(s) }

// attempt runs an area and returns what it panicked with, if that is an error.
func attempt(run func(context.Context, *clientv3.Client), client *clientv3.Client) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer func() {
		if thrown := recover(); thrown != nil {
			failure, isError := thrown.(error)
			if !isError {
				panic(thrown)
			}
			err = failure
		}
	}()
	run(ctx, client)
	return nil
}

// isNotBuilt tells a server that says `unimplemented: …` of a call from one that does not know the call at all.
func isNotBuilt(err error) bool {
	said := status.Convert(err)
	return said.Code() == codes.Unimplemented && strings.HasPrefix(said.Message(), "unimplemented:")
}

// must passes on the result of a call, or ends the area with the call's error.
func must[T any](result T, err error) T {
	if err != nil {
		panic(err)
	}
	return result
}

// check ends the area unless what it claims is true.
func check(holds bool, claim string, args ...any) {
	if !holds {
		panic(fmt.Errorf("not so: "+claim, args...))
	}
}

// refused ends the area unless the call failed with the error that etcd's client gives that refusal.
func refused(err, want error) {
	if err != nil && isNotBuilt(err) {
		panic(err)
	}
	if err == nil || !errors.Is(err, want) {
		panic(fmt.Errorf("wanted the refusal %q, got: %w", want, orNone(err)))
	}
}

func orNone(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// keysOf shows the keys of a response in their order, for comparison.
func keysOf(response *clientv3.GetResponse) string {
	keys := make([]string, 0, len(response.Kvs))
	for _, kv := range response.Kvs {
		keys = append(keys, string(kv.Key))
	}
	return strings.Join(keys, " ")
}
