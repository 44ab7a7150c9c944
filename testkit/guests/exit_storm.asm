; Leaves the guest once an instruction: writes the POST diagnostics port for ever.
bits 16
org 0
        cli
.storm: out     0x80, al
        jmp     .storm
