// A machine's whole system in 512 bytes, put together here: no download, no assembler. Real mode, BIOS disks (int 13h), the
// first serial port, and the ACPI power button of QEMU's chipset. What it prints on the serial port:
//
//   machine is up               it was loaded and runs
//   was at beat 0042            what it had last written to its boot disk, where there is something
//   <text>                      of the first sector of its second disk, up to a zero byte; `no second disk` without one
//   beat 0043                   again and again, each time after it has written that very line to its boot disk
//   disk error                  in the place of a beat whose writing failed; the next try follows
//   powering off                the power button was pressed, or the text of the second disk begins with `!`

/** Encodes instructions with jumps to names, as far as one sector needs it. */
class Sector {
  readonly #origin = 0x7c00
  readonly #bytes: number[] = []
  readonly #names = new Map<string, number>()
  readonly #fixes: (() => void)[] = []

  at(name: string): this {
    this.#names.set(name, this.#bytes.length)
    return this
  }

  op(...bytes: readonly number[]): this {
    this.#bytes.push(...bytes)
    return this
  }

  /** An instruction that ends with the distance to a name, in one byte. */
  jump(opcode: number, name: string): this {
    const at = this.op(opcode, 0).#bytes.length
    this.#fixes.push(() => {
      const distance = this.#of(name) - at
      if (distance < -128 || distance > 127) throw new Error(`${name} is ${distance} bytes away: too far`)
      this.#bytes[at - 1] = distance & 0xff
    })
    return this
  }

  call(name: string): this {
    const at = this.op(0xe8, 0, 0).#bytes.length
    this.#fixes.push(() => this.#word(at - 2, this.#of(name) - at))
    return this
  }

  /** An instruction that ends with the address of a name. */
  address(opcode: readonly number[], name: string, offset = 0): this {
    const at = this.op(...opcode, 0, 0).#bytes.length
    this.#fixes.push(() => this.#word(at - 2, this.#origin + this.#of(name) + offset))
    return this
  }

  say(name: string): this {
    return this.address([0xbe], name).call('print') // mov si, name
  }

  text(name: string, text: string): this {
    return this.at(name).op(...Buffer.from(`${text}\0`, 'latin1'))
  }

  bytes(): Buffer {
    for (const fix of this.#fixes) fix()
    if (this.#bytes.length > 510) throw new Error(`${this.#bytes.length} bytes do not fit a boot sector`)
    const sector = Buffer.alloc(512)
    sector.set(this.#bytes)
    sector.writeUInt16LE(0xaa55, 510)
    return sector
  }

  #of(name: string): number {
    const at = this.#names.get(name)
    if (at === undefined) throw new Error(`nothing is called ${name}`)
    return at
  }

  #word(at: number, value: number): void {
    this.#bytes[at] = value & 0xff
    this.#bytes[at + 1] = (value >> 8) & 0xff
  }
}

const [jc, je, jne, jmp] = [0x72, 0x74, 0x75, 0xeb] as const
/** int 13h of one sector at cylinder 0, head 0, with `es` zero: ax command and count, bx buffer, cl sector, dl drive. */
const disk = (command: number, bufferHigh: number, sector: number, drive: number) =>
  [0xb8, 1, command, 0xbb, 0, bufferHigh, 0xb9, sector, 0, 0xba, drive, 0, 0xcd, 0x13] as const

export const bootSector = (): Buffer =>
  new Sector()
    .op(0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0xfc) // ax = ds = es = ss = 0, sp = 7c00, cld
    .op(0xba, 0x02, 0x06, 0xed, 0x80, 0xcc, 0x01, 0xef) // PM1 enable (port 602h) |= 100h: the power button
    .say('up')
    .op(...disk(0x02, 0x82, 3, 0x80)) // the line that was written last: sector 3 of the boot disk to 8200h
    .jump(jc, 'second')
    .op(0x80, 0x3e, 0x00, 0x82, 0x62) // cmp byte [8200h], 'b'
    .jump(jne, 'second')
    .say('was')
    .op(0xbe, 0x00, 0x82) // mov si, 8200h
    .call('print')
    .at('second')
    .op(...disk(0x02, 0x80, 1, 0x81)) // the text of the second disk to 8000h
    .jump(jc, 'none')
    .op(0xbe, 0x00, 0x80) // mov si, 8000h
    .call('print')
    .say('line')
    .op(0x80, 0x3e, 0x00, 0x80, 0x21) // cmp byte [8000h], '!'
    .jump(je, 'off')
    .jump(jmp, 'count')
    .at('none')
    .say('nothing')
    .jump(jmp, 'count')

    .at('count')
    .address([0xbf], 'beat', 8) // mov di, the last digit
    .at('carry')
    .op(0xfe, 0x05, 0x80, 0x3d, 0x3a) // inc byte [di]; cmp byte [di], '9' + 1
    .jump(jne, 'write')
    .op(0xc6, 0x05, 0x30, 0x4f) // mov byte [di], '0'; dec di
    .jump(jmp, 'carry')
    .at('write')
    .address([0xbe], 'beat') // mov si, beat
    .op(0xbf, 0x00, 0x84, 0xb9, 0x0c, 0x00, 0xf3, 0xa4) // copy its 12 bytes to 8400h
    .op(...disk(0x03, 0x84, 3, 0x80))
    .jump(jc, 'failed')
    .say('beat')
    .jump(jmp, 'wait')
    .at('failed')
    .say('error')
    .op(0x31, 0xc0, 0xb2, 0x80, 0xcd, 0x13) // reset the disk
    .at('wait')
    .op(0xb8, 0x00, 0x86, 0xb9, 0x02, 0x00, 0xba, 0x00, 0x00, 0xcd, 0x15) // int 15h: 131 ms
    .op(0xba, 0x00, 0x06, 0xed, 0xf6, 0xc4, 0x01) // PM1 status (port 600h): test ah, 1
    .jump(je, 'count')
    .at('off')
    .say('bye')
    .op(0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef) // PM1 control (port 604h) = SLP_EN, type 0: soft off
    .at('end')
    .op(0xf4) // hlt
    .jump(jmp, 'end')

    .at('print') // of si, up to a zero byte
    .op(0xac, 0x84, 0xc0) // lodsb; test al, al
    .jump(je, 'printed')
    .op(0x88, 0xc3) // mov bl, al
    .at('busy')
    .op(0xba, 0xfd, 0x03, 0xec, 0xa8, 0x20) // line status: may it be sent?
    .jump(je, 'busy')
    .op(0xba, 0xf8, 0x03, 0x88, 0xd8, 0xee) // out 3f8h, bl
    .jump(jmp, 'print')
    .at('printed')
    .op(0xc3)

    .text('up', 'machine is up\r\n')
    .text('was', 'was at ')
    .text('nothing', 'no second disk\r\n')
    .text('beat', 'beat 0000\r\n')
    .text('error', 'disk error\r\n')
    .text('bye', 'powering off\r\n')
    .text('line', '\r\n')
    .bytes()

/** The first sector of a second disk. */
export const sectorWith = (text: string): Buffer => {
  const sector = Buffer.alloc(512)
  sector.write(text, 'latin1')
  return sector
}
