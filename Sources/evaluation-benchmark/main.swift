import Boosting
import EnsembleModel
import Evaluation
import Foundation

// One evaluation by the gate, measured: what `deploy/benchmark gate` runs in a process of its own.
//
// usage: evaluation-benchmark DIRECTORY MODELS CLASSES ROWS_PER_GROUP BUDGET THREADS
//
// DIRECTORY has labels.i32 (N class indices) and model0.f32, model1.f32 ... (N x K probabilities), little-endian. All
// models but the last are members, the last is the challenger. Prints JSON.

func numbers<Number>(_ file: String, as type: Number.Type) throws -> [Number] {
    let data = try Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[1]).appendingPathComponent(file))
    return data.withUnsafeBytes { Array($0.bindMemory(to: Number.self)) }
}

func digits(_ number: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: 8 - text.count) + text
}

/// User and system time of all threads, in seconds, and peak resident memory in MB.
func usage() -> (cpu: Double, peak: Double) {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return (seconds(usage.ru_utime) + seconds(usage.ru_stime), Double(usage.ru_maxrss) / 1024)
}

/// Wall seconds of each phase of the progress.
final class Phases {
    private(set) var seconds: [String: Double] = [:]
    private var current = "preparation"
    private var began = ContinuousClock.now

    func enter(_ phase: String) {
        guard phase != current else { return }
        let now = ContinuousClock.now
        seconds[current, default: 0] += (now - began) / .seconds(1)
        (current, began) = (phase, now)
    }
}

struct Measurement: Codable {
    var seconds: Double
    var cpuSeconds: Double
    var peakMegabytes: Double
    var verdict: String
    var fits: Int
    var phases: [String: Double]
}

let arguments = CommandLine.arguments.dropFirst(2).compactMap { Int($0) }
guard arguments.count == 5 else {
    FileHandle.standardError.write(
        Data("usage: evaluation-benchmark DIRECTORY MODELS CLASSES ROWS_PER_GROUP BUDGET THREADS\n".utf8))
    exit(2)
}
let (modelCount, classCount, groupSize, budget, threads) = (
    arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]
)
let labels = try numbers("labels.i32", as: Int32.self)
let validation = try ValidationSet(
    classes: (0..<classCount).map { "class\($0)" },
    rows: labels.enumerated().map { row, label in
        .init(id: "row\(digits(row))", label: Int(label), group: "group\(digits(row / groupSize))")
    })
let candidates = try (0..<modelCount).map { index in
    Candidate(
        id: try ModelVersionID("model\(digits(index))@1"),
        predictions: try Predictions(values: numbers("model\(index).f32", as: Float.self), classCount: classCount))
}
let request = EvaluationRequest(
    kind: .admission, challenger: candidates[modelCount - 1].id, champion: candidates.dropLast().map(\.id),
    candidates: candidates, validation: validation, epochSalt: "e1",
    policy: Policy(preset: .standard, budget: Budget(members: budget)), policyVersion: 1, submitter: "benchmark",
    sealKey: "key")
let library = try LightGBM.load()
let phases = Phases()
let before = usage()
let began = ContinuousClock.now
let outcome = try Evaluator(library: library, threads: threads).evaluate(request) { phases.enter($0.phase) }
let seconds = (ContinuousClock.now - began) / .seconds(1)
phases.enter("end")
let after = usage()
let measurement = Measurement(
    seconds: seconds, cpuSeconds: after.cpu - before.cpu, peakMegabytes: after.peak, verdict: outcome.verdict.rawValue,
    fits: outcome.evidence.tried.count, phases: phases.seconds)
let encoder = JSONEncoder()
encoder.keyEncodingStrategy = .convertToSnakeCase
FileHandle.standardOutput.write(try encoder.encode(measurement) + Data("\n".utf8))
