import RegistryTesting
import Testing

@testable import ServingNode

@Suite struct BatchQueueTests {
    /// A queue whose actions are words: the items of a call, or `wait N`.
    private final class Queue {
        private var queue: BatchQueue<Int, String>

        init(rows: Int = 10, calls: Int = 2, waitingRows: Int = 100) {
            queue = BatchQueue(BatchLimits(rows: rows, calls: calls, waitingRows: waitingRows))
        }

        func add(_ item: Int, kind: String, rows: Int) -> [String]? {
            queue.add(item, kind: kind, rows: rows)?.map(Self.word)
        }
        func ended() -> [String] { queue.ended().map(Self.word) }
        func waited(_ number: Int) -> [String] { queue.waited(number).map(Self.word) }

        private static func word(_ action: BatchQueue<Int, String>.Action) -> String {
            switch action {
            case .call(let items): items.map(String.init).joined(separator: " ")
            case .wait(let number): "wait \(number)"
            }
        }
    }

    @Test func nothingWaitsWhileTheMemberIsIdle() {
        let queue = Queue()
        #expect(queue.add(1, kind: "a", rows: 3) == ["1"])
        #expect(queue.ended() == [])
        #expect(queue.add(2, kind: "a", rows: 3) == ["2"])
    }

    @Test func whatComesMeanwhileIsSentTogetherWhenTheCallEnds() {
        let queue = Queue()
        #expect(queue.add(1, kind: "a", rows: 3) == ["1"])
        #expect(queue.add(2, kind: "a", rows: 3) == ["wait 1"])
        #expect(queue.add(3, kind: "a", rows: 3) == [])
        #expect(queue.ended() == ["2 3"])
        #expect(queue.waited(1) == [])
        #expect(queue.add(4, kind: "a", rows: 3) == ["wait 2"])
        #expect(queue.waited(1) == [])
        #expect(queue.waited(2) == ["4"])
    }

    @Test func fullCallsGoAtOnceAsFarAsCallsMayBeMade() {
        let queue = Queue()
        #expect(queue.add(1, kind: "a", rows: 10) == ["1"])
        #expect(queue.add(2, kind: "a", rows: 6) == ["wait 1"])
        #expect(queue.add(3, kind: "a", rows: 6) == ["2"])
        #expect(queue.add(4, kind: "a", rows: 4) == [])
        #expect(queue.waited(1) == [])
        #expect(queue.ended() == ["3 4"])
    }

    @Test func onlyRowsOfOneKindAreJoined() {
        let queue = Queue()
        #expect(queue.add(1, kind: "a", rows: 1) == ["1"])
        _ = queue.add(2, kind: "a", rows: 1)
        _ = queue.add(3, kind: "b", rows: 1)
        _ = queue.add(4, kind: "a", rows: 1)
        #expect(queue.ended() == ["2 4", "3"])
    }

    @Test func tooManyWaitingRowsAreTurnedAway() {
        let queue = Queue(rows: 10, calls: 1, waitingRows: 20)
        for item in 1...3 { #expect(queue.add(item, kind: "a", rows: 10) != nil) }
        #expect(queue.add(4, kind: "a", rows: 1) == nil)
        #expect(queue.ended() == ["2"])
        #expect(queue.add(4, kind: "a", rows: 1) != nil)
    }

    @Test func whateverHappensEachItemGoesOnceAndNoLimitIsExceeded() {
        var random = SplitMix64(seed: 3)
        for _ in 0..<200 {
            let queue = Queue(rows: 8, calls: 3, waitingRows: 40)
            var (rows, kinds): ([Int: Int], [Int: String]) = ([:], [:])
            var (sent, calls, timers): ([Int], Int, [Int]) = ([], 0, [])
            func take(_ actions: [String]) {
                for action in actions {
                    let items = action.split(separator: " ").compactMap { Int($0) }
                    if action.hasPrefix("wait") {
                        timers += items
                    } else {
                        calls += 1
                        sent += items
                        #expect(
                            items.reduce(0) { $0 + (rows[$1] ?? 99) } <= 8 && Set(items.map { kinds[$0] }).count == 1)
                    }
                }
                #expect(calls <= 3)
            }
            for item in 0..<60 {
                (rows[item], kinds[item]) = (Int.random(in: 1...8, using: &random), random.next() % 4 == 0 ? "b" : "a")
                if let actions = queue.add(item, kind: kinds[item] ?? "", rows: rows[item] ?? 1) {
                    take(actions)
                } else {
                    rows[item] = nil
                }
                if calls > 0, random.next() % 2 == 0 {
                    calls -= 1
                    take(queue.ended())
                }
                if random.next() % 5 == 0, let timer = timers.popLast() { take(queue.waited(timer)) }
            }
            while calls > 0 {
                calls -= 1
                take(queue.ended())
            }
            #expect(sent.sorted() == rows.keys.sorted())
        }
    }
}
