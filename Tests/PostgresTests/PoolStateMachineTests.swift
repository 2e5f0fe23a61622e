import Testing

@testable import Postgres

struct PoolStateMachineTests {
    /// A machine with `count` leased connections of as many allowed.
    private func full(_ count: Int) -> PoolStateMachine {
        var machine = PoolStateMachine(limit: count)
        for id in 1...count {
            expect(machine.acquire(-id), .grant(.connect(id)))
            expect(machine.connected(id), true)
        }
        return machine
    }

    @Test func connectsUpToTheLimitThenQueuesInOrder() {
        var machine = full(2)
        expect(machine.acquire(3), .wait)
        expect(machine.acquire(4), .wait)
        expect(machine.release(2), .resume(3, .use(2)))
        expect(machine.release(1), .resume(4, .use(1)))
        expect(machine.release(2), .park(2))
        #expect(machine.queueLength == 0)
    }

    @Test func idleConnectionsAreUsedLastInFirstOut() {
        var machine = full(3)
        for id in [2, 3, 1] { #expect(machine.release(id) == .park(id)) }
        expect(machine.acquire(10), .grant(.use(1)))
        expect(machine.acquire(11), .grant(.use(3)))
        #expect(machine.idleCount == 1)
    }

    @Test func thePlaceOfALostConnectionGoesToTheFirstInTheQueue() {
        var machine = full(1)
        expect(machine.acquire(5), .wait)
        expect(machine.closed(1), .resume(5, .connect(2)))
        // The attempt fails: nobody else waits, and the next request tries again.
        expect(machine.closed(2), .none)
        #expect(machine.connectionCount == 0)
        expect(machine.acquire(6), .grant(.connect(3)))
    }

    @Test func aRequestThatGivesUpIsSkipped() {
        var machine = full(1)
        expect(machine.acquire(5), .wait)
        expect(machine.acquire(6), .wait)
        expect(machine.withdraw(5), true)
        expect(machine.withdraw(5), false)
        expect(machine.release(1), .resume(6, .use(1)))
        expect(machine.withdraw(6), false)
    }

    @Test func onlyIdleConnectionsRetire() {
        var machine = full(1)
        expect(machine.retire(1), .none)
        expect(machine.release(1), .park(1))
        expect(machine.retire(1), .close(1))
        // Until it is gone it counts, and cannot be leased.
        expect(machine.acquire(5), .wait)
        expect(machine.closed(1), .resume(5, .connect(2)))
    }

    @Test func shutdownRefusesClosesAndFinishesWithTheLast() {
        var machine = full(2)
        expect(machine.acquire(5), .wait)
        expect(machine.release(1), .resume(5, .use(1)))
        expect(machine.release(1), .park(1))
        expect(machine.shutDown(), PoolStateMachine.Shutdown(close: [1]))
        expect(machine.acquire(6), .refuse)
        expect(machine.closed(1), .none)
        expect(machine.release(2), .close(2))
        expect(machine.closed(2), .finished)
        #expect(machine.isFinished)
    }

    @Test func shutdownRefusesTheQueueAndAConnectionInTheMaking() {
        var machine = PoolStateMachine(limit: 1)
        expect(machine.acquire(1), .grant(.connect(1)))
        expect(machine.acquire(2), .wait)
        expect(machine.shutDown(), PoolStateMachine.Shutdown(refuse: [2], abort: [1]))
        expect(machine.connected(1), false)
        expect(machine.closed(1), .finished)
        expect(machine.shutDown(), PoolStateMachine.Shutdown())
    }

    /// Whatever happens in whatever order: never more connections than allowed, nobody waits while one is idle, and the
    /// queue is served in order.
    @Test(arguments: 1...20) func keepsItsPromisesUnderRandomEvents(seed: UInt64) {
        var random = SplitMix(state: seed)
        var machine = PoolStateMachine(limit: 3)
        var connecting: Set<Int> = []
        var leased: Set<Int> = []
        var waiting: [Int] = []
        func grant(_ grant: PoolStateMachine.Grant) {
            switch grant {
            case .use(let id): #expect(leased.insert(id).inserted)
            case .connect(let id): #expect(connecting.insert(id).inserted)
            }
        }
        func take(_ action: PoolStateMachine.Action) {
            guard case .resume(let request, let granted) = action else { return }
            #expect(waiting.removeFirst() == request)
            grant(granted)
        }
        for request in 1...2000 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0, 1:
                switch machine.acquire(request) {
                case .grant(let granted): grant(granted)
                case .wait: waiting.append(request)
                case .refuse: Issue.record("refused before shutdown")
                }
            case 2:
                guard let id = connecting.randomElement(using: &random) else { continue }
                connecting.remove(id)
                expect(machine.connected(id), true)
                leased.insert(id)
            case 3:
                guard let id = connecting.randomElement(using: &random) ?? leased.randomElement(using: &random) else {
                    continue
                }
                connecting.remove(id)
                leased.remove(id)
                take(machine.closed(id))
            case 4:
                guard let id = leased.randomElement(using: &random) else { continue }
                leased.remove(id)
                take(machine.release(id))
            default:
                guard let request = waiting.randomElement(using: &random) else { continue }
                expect(machine.withdraw(request), true)
                waiting.removeAll { $0 == request }
            }
            #expect(machine.connectionCount <= 3)
            #expect(machine.connectionCount == connecting.count + leased.count + machine.idleCount)
            #expect(waiting.count == machine.queueLength)
            #expect(waiting.isEmpty || machine.idleCount == 0)
        }
    }
}

/// `#expect` cannot call what changes its object.
private func expect<Value: Equatable>(
    _ value: Value, _ expected: Value, sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(value == expected, sourceLocation: sourceLocation)
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
