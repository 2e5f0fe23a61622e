import Foundation
import RegistryAPI

/// Writes a command's result: JSON for programs, text for people.
struct Output: Sendable {
    let console: Console
    let json: Bool

    /// Writes a value.
    func emit<Value: Encodable>(_ value: Value, text: (Value) -> String) throws {
        try write(value, text: text)
    }

    /// Writes a listing, and tells people when it is not the whole.
    func emit<Item>(_ page: Page<Item>, text: (Page<Item>) -> String) throws {
        try write(page, text: text)
        if let next = page.next { note("There is more: go on with --after \(next), or show more with --limit.") }
    }

    /// Tells people something beside the result.
    func note(_ text: String) {
        if !json { console.tell(text.withoutControls(keeping: ["\n"]) + "\n") }
    }

    private func write<Value: Encodable>(_ value: Value, text: (Value) -> String) throws {
        if json {
            try console.write(String(decoding: APIJSON.encoder(pretty: true).encode(value), as: UTF8.self) + "\n")
        } else {
            let text = text(value)
            if !text.isEmpty { try console.write(text.hasSuffix("\n") ? text : text + "\n") }
        }
    }
}
