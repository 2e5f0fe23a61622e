import Forest
import Foundation

// Raw scores of a forest, timed: what `deploy/benchmark scoring` runs in a process of its own.
//
// usage: scoring-benchmark MODEL ROWS BATCH SECONDS SCORES
//
// MODEL is a LightGBM text model, ROWS N x F little-endian float64, BATCH the rows of a call. Scores all rows over and
// over for about SECONDS of processor time, writes the scores of the last time to SCORES (N x K float64), and prints
// the processor seconds a row.

func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

let arguments = CommandLine.arguments
guard arguments.count == 6, let batch = Int(arguments[3]), batch > 0, let budget = Double(arguments[4]) else {
    FileHandle.standardError.write(Data("usage: scoring-benchmark MODEL ROWS BATCH SECONDS SCORES\n".utf8))
    exit(2)
}
let forest = try Forest(lightGBMText: Array(Data(contentsOf: URL(fileURLWithPath: arguments[1]))))
let rows = try Data(contentsOf: URL(fileURLWithPath: arguments[2])).withUnsafeBytes {
    Array($0.bindMemory(to: Double.self))
}
let rowCount = rows.count / forest.featureCount
var scores = [Double](repeating: 0, count: rowCount * forest.classCount)
let began = processorSeconds()
var scored = 0
repeat {
    rows.withUnsafeBufferPointer { rows in
        scores.withUnsafeMutableBufferPointer { scores in
            for first in stride(from: 0, to: rowCount, by: batch) {
                let last = min(first + batch, rowCount)
                forest.rawScores(
                    rows: UnsafeBufferPointer(rebasing: rows[first * forest.featureCount..<last * forest.featureCount]),
                    into: UnsafeMutableBufferPointer(
                        rebasing: scores[first * forest.classCount..<last * forest.classCount]))
            }
        }
    }
    scored += rowCount
} while processorSeconds() - began < budget
let seconds = (processorSeconds() - began) / Double(scored)
try scores.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: arguments[5]))
FileHandle.standardOutput.write(Data("\(seconds)\n".utf8))
