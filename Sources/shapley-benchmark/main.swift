import Dispatch
import Forest
import Foundation
import Shapley
import Synchronization

// Shapley values of the models of a forest, measured: what `deploy/benchmark shapley` runs in a process of its own.
//
// usage: shapley-benchmark MODEL ROWS PLAYERS KIND INSTRUCTIONS THREADS
//
// MODEL is LightGBM's text, ROWS has N x D 32-bit floats, little-endian; the players own the same number of columns
// each. KIND is magnitudes (means of |phi| in fixed point) or values (every phi in double precision, whose magnitudes
// are summed here, by one thread). Rows are read block by block. Everything is measured: preparing the forest, reading,
// computing. Prints JSON.

struct Measurement: Codable {
    var rows: Int
    var seconds: Double
    var cpuSeconds: Double
    /// Of these, for preparing the forest.
    var preparationSeconds: Double
    /// Peak resident memory, and what it was before the first rows were read.
    var peakMegabytes: Double
    var initialMegabytes: Double
    /// Mean magnitudes, K x M.
    var means: [Double]
    /// The bits of the means.
    var bits: String
}

let blockRows = 32_768

/// User and system time of all threads, in seconds.
func cpuSeconds() -> Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Peak resident memory in MB; not ru_maxrss, which begins with what the parent had when it forked.
func peakMegabytes() throws -> Double {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return (line?.split(separator: " ").compactMap { Double($0) }.first ?? .nan) / 1024
}

@Sendable func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("\(message)\n".utf8))
    exit(2)
}

let arguments = CommandLine.arguments
guard arguments.count == 7, let playerCount = Int(arguments[3]), ["magnitudes", "values"].contains(arguments[4]),
    let instructions = Instructions(rawValue: arguments[5]), let threads = Int(arguments[6])
else { fail("usage: shapley-benchmark MODEL ROWS PLAYERS magnitudes|values portable|avx2|avx512 THREADS") }
guard Instructions.available.contains(instructions) else { fail("this machine has no \(instructions)") }

let forest = try Forest(lightGBMText: Data(contentsOf: URL(fileURLWithPath: arguments[1])))
let width = forest.featureCount
let players = try Players(count: playerCount, columnsEach: width / playerCount)
let file = Mutex(try FileHandle(forReadingFrom: URL(fileURLWithPath: arguments[2])))
let initial = try peakMegabytes()

/// The next block of rows; nil at the end.
@Sendable func nextBlock() throws -> [Double]? {
    let data = try file.withLock { file in
        try file.read(upToCount: blockRows * width * 4)
    }
    guard let data, !data.isEmpty else { return nil }
    return data.withUnsafeBytes { $0.bindMemory(to: Float.self).map(Double.init) }
}

/// Mean magnitudes in fixed point.
func fixedPointMeans(preparation: inout Double) throws -> (rows: Int, means: [Double]) {
    let kernel = try MeanMagnitudes(forest: forest, players: players, instructions: instructions)
    preparation = cpuSeconds() - cpuBegan
    let total = Mutex(kernel.zero)
    DispatchQueue.concurrentPerform(iterations: threads) { _ in
        do {
            while let rows = try nextBlock() {
                let sums = try kernel.sums(rows: rows)
                total.withLock { $0 += sums }
            }
        } catch {
            fail("\(error)")
        }
    }
    return total.withLock { ($0.rowCount, kernel.means($0)) }
}

/// Mean magnitudes of values in double precision.
func exactMeans(preparation: inout Double) throws -> (rows: Int, means: [Double]) {
    let kernel = try GroupedShapley(forest: forest, players: players, instructions: instructions)
    preparation = cpuSeconds() - cpuBegan
    var sums = [Double](repeating: 0, count: forest.classCount * playerCount)
    var rowCount = 0
    while let rows = try nextBlock() {
        let phi = try kernel.values(rows: rows)
        for first in stride(from: 0, to: phi.count, by: sums.count) {
            for index in sums.indices { sums[index] += phi[first + index].magnitude }
        }
        rowCount += rows.count / width
    }
    return (rowCount, sums.map { $0 / Double(rowCount) })
}

let (began, cpuBegan) = (ContinuousClock.now, cpuSeconds())
var preparation = 0.0
let result =
    arguments[4] == "magnitudes"
    ? try fixedPointMeans(preparation: &preparation) : try exactMeans(preparation: &preparation)
let measurement = Measurement(
    rows: result.rows, seconds: (ContinuousClock.now - began) / .seconds(1), cpuSeconds: cpuSeconds() - cpuBegan,
    preparationSeconds: preparation, peakMegabytes: try peakMegabytes(), initialMegabytes: initial,
    means: result.means, bits: result.means.map { String($0.bitPattern, radix: 16) }.joined(separator: " "))
let encoder = JSONEncoder()
encoder.keyEncodingStrategy = .convertToSnakeCase
FileHandle.standardOutput.write(try encoder.encode(measurement) + Data("\n".utf8))
