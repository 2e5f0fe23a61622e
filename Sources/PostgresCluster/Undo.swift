/// What to take back when a start fails: the steps run in reverse order.
struct Undo {
    private var steps: [() -> Void] = []

    mutating func add(_ step: @escaping () -> Void) { steps.append(step) }

    func run() {
        for step in steps.reversed() { step() }
    }
}
