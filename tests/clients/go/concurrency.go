package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	recipe "go.etcd.io/etcd/client/v3/experimental/recipes"
)

// mutex shares a lock between two sessions; a session is a lease that its client keeps alive.
func mutex(ctx context.Context, client *clientv3.Client) {
	mine := must(concurrency.NewSession(client, concurrency.WithTTL(30)))
	defer mine.Close()
	yours := must(concurrency.NewSession(client, concurrency.WithTTL(30)))
	my, your := concurrency.NewMutex(mine, "mutex/"), concurrency.NewMutex(yours, "mutex/")

	check(my.Lock(ctx) == nil, "I have the lock")
	err := your.TryLock(ctx)
	check(errors.Is(err, concurrency.ErrLocked), "you cannot have it now: %v", err)
	// Do something only if the lock is still mine.
	owned := must(client.Txn(ctx).If(my.IsOwner()).Then(clientv3.OpPut("mutex-work", "done")).Commit())
	check(owned.Succeeded, "the owner may work")

	waiting := make(chan error, 1)
	go func() { waiting <- your.Lock(ctx) }()
	check(my.Unlock(ctx) == nil, "I give it back")
	err = <-waiting
	check(err == nil, "you have it: %v", err)

	// A session that ends lets its locks go.
	go func() { waiting <- my.Lock(ctx) }()
	check(yours.Close() == nil, "your session ends")
	<-yours.Done()
	err = <-waiting
	check(err == nil, "so I have it again: %v", err)
	check(my.Unlock(ctx) == nil, "and give it back")
}

// election lets candidates take turns at leading, and others watch.
func election(ctx context.Context, client *clientv3.Client) {
	one := must(concurrency.NewSession(client))
	defer one.Close()
	two := must(concurrency.NewSession(client))
	defer two.Close()
	first, second := concurrency.NewElection(one, "election/"), concurrency.NewElection(two, "election/")

	_, err := first.Leader(ctx)
	check(errors.Is(err, concurrency.ErrElectionNoLeader), "nobody leads yet: %v", err)
	check(first.Campaign(ctx, "one") == nil, "one leads")
	check(string(must(second.Leader(ctx)).Kvs[0].Value) == "one", "and everybody knows")

	watching, cancel := context.WithCancel(ctx)
	defer cancel()
	leaders := second.Observe(watching)
	observed := func(want string) {
		for response := range leaders {
			if string(response.Kvs[0].Value) == want {
				return
			}
		}
		check(false, "an observer sees %q", want)
	}
	observed("one")
	check(first.Proclaim(ctx, "one, still") == nil, "a leader may say something else")
	observed("one, still")

	won := make(chan error, 1)
	go func() { won <- second.Campaign(ctx, "two") }()
	check(first.Resign(ctx) == nil, "one resigns")
	err = <-won
	check(err == nil, "two leads: %v", err)
	observed("two")
	check(errors.Is(first.Proclaim(ctx, "?"), concurrency.ErrElectionNotLeader), "who does not lead cannot proclaim")
	check(second.Resign(ctx) == nil, "two resigns")
}

// stm moves money between accounts in software transactions that are tried again when they meet.
func stm(ctx context.Context, client *clientv3.Client) {
	const accounts, transfers = 4, 20
	account := func(i int) string { return fmt.Sprintf("stm/%d", i%accounts) }
	for i := range accounts {
		must(client.Put(ctx, account(i), "100"))
	}
	var all sync.WaitGroup
	failures := make(chan error, transfers)
	for i := range transfers {
		all.Go(func() {
			_, err := concurrency.NewSTM(client, func(tx concurrency.STM) error {
				from, to := account(i), account(i+1)
				rich, err := strconv.Atoi(tx.Get(from))
				if err != nil {
					return err
				}
				poor, err := strconv.Atoi(tx.Get(to))
				if err != nil {
					return err
				}
				tx.Put(from, strconv.Itoa(rich-1))
				tx.Put(to, strconv.Itoa(poor+1))
				return nil
			}, concurrency.WithAbortContext(ctx), concurrency.WithIsolation(concurrency.SerializableSnapshot))
			if err != nil {
				failures <- err
			}
		})
	}
	all.Wait()
	close(failures)
	for err := range failures {
		panic(err)
	}
	sum := 0
	for _, pair := range must(client.Get(ctx, "stm/", clientv3.WithPrefix())).Kvs {
		sum += must(strconv.Atoi(string(pair.Value)))
	}
	check(sum == 100*accounts, "no money is made or lost: %d", sum)
}

// queues shows two of the recipes: a queue, and a barrier that opens.
func queues(ctx context.Context, client *clientv3.Client) {
	queue := recipe.NewQueue(client, "recipes/queue")
	for _, item := range []string{"first", "second"} {
		if err := queue.Enqueue(item); err != nil {
			panic(err)
		}
	}
	check(must(queue.Dequeue()) == "first" && must(queue.Dequeue()) == "second", "a queue keeps its order")

	barrier := recipe.NewBarrier(client, "recipes/barrier")
	if err := barrier.Hold(); err != nil {
		panic(err)
	}
	through := make(chan error, 1)
	go func() { through <- recipe.NewBarrier(client, "recipes/barrier").Wait() }()
	if err := barrier.Release(); err != nil {
		panic(err)
	}
	err := <-through
	check(err == nil, "who waited goes on: %v", err)
	check(ctx.Err() == nil, "in time")
}
