; Writes for ever to 0xB8000, where no memory is: each write is an MMIO exit.
bits 16
org 0
        cli
        mov     ax, 0xb800
        mov     ds, ax
.storm: mov     [0], al
        jmp     .storm
